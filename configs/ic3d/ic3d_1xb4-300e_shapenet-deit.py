# IC3D conditioned on a plain image network: the distilled DeiT-B that CISP has, but with ImageNet's weights, which know
# no shape. 768 numbers, its class token.
_base_ = './ic3d_1xb4-300e_shapenet-cisp.py'

# Sometimes
imagenet = (
    'https://download.openmmlab.com/mmclassification/v0/deit/'
    'deit-base-distilled_3rdparty_pt-16xb64_in1k_20211216-42891296.pth'
)
embed_dim = 768

# Rarely
model = dict(
    # ImageNet's, of pixels 0..255 in the order of RGB.
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    image_encoder=dict(
        _delete_=True,
        type='mmpretrain.DistilledVisionTransformer',
        arch='deit-base',
        img_size=224,
        patch_size=16,
        init_cfg=dict(type='Pretrained', checkpoint=imagenet, prefix='backbone.'),
    ),
    denoiser=dict(embed_dim=embed_dim),
)
