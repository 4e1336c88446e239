"""CISP (arXiv 2402.01241) as its released code has it: DeiT-B for images, a DeiT-S of voxels, embeddings of 256.

Both encoders begin with random weights, as in the released script. The paper speaks of DeiT-B for shapes, too: the
config -deit-b.
"""

# Often changed
embed_channels = 256

# Rarely
model = dict(
    type='CISP',
    data_preprocessor=dict(type='FusionDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    image_encoder=dict(
        type='CISPImageEncoder',
        backbone=dict(type='DistilledVisionTransformer', arch='deit-base', img_size=224, patch_size=16),
        embed_channels=embed_channels,
    ),
    shape_encoder=dict(
        type='CISPShapeEncoder',
        backbone=dict(type='VoxelViT', arch='small', resolution=32, patch_size=8),
        embed_channels=embed_channels,
    ),
    loss=dict(type='ContrastiveLoss', temperature=0.07, max_scale=100.0, positives='pair'),
)
