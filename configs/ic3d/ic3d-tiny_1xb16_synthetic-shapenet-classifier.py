# The narrow IC3D conditioned on an image network that was never shown a shape: it learned to name categories, a
# stand-in for CLIP. Train configs/cisp/image-classifier-tiny_1xb64_synthetic-shapenet.py first.
_base_ = './ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'

# Often changed
encoder_checkpoint = 'work_dirs/image-classifier-tiny_1xb64_synthetic-shapenet/iter_300.pth'
embed_dim = 128  # 8 times base_channels: the mean of the last map

# Rarely
model = dict(
    image_encoder=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=18,
        stem_channels=16,
        base_channels=16,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_checkpoint, prefix='image_backbone.'),
    ),
    denoiser=dict(embed_dim=embed_dim),
)
