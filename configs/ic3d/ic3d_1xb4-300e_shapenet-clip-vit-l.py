# IC3D conditioned on the image tower of OpenAI's CLIP, ViT-L/14, as MMPreTrain has it: the class token, 1024 numbers,
# before CLIP's projection to 768, which is not in that checkpoint. MMPreTrain's whole CLIP needs `transformers`; its
# other towers were trained further on ImageNet. Not the paper's CLIP, which is -clip-file.
_base_ = './ic3d_1xb4-300e_shapenet-cisp.py'

# Sometimes
clip = (
    'https://download.openmmlab.com/mmclassification/v0/clip/'
    'vit-large-p14_clip-openai-pre_3rdparty_20230517-95e2af0b.pth'
)
embed_dim = 1024

# Rarely
model = dict(
    # CLIP's, of pixels 0..255 in the order of RGB.
    data_preprocessor=dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]),
    image_encoder=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='large',
        img_size=224,
        patch_size=14,
        pre_norm=True,
        layer_cfgs=dict(act_cfg=dict(type='mmpretrain.QuickGELU')),
        init_cfg=dict(type='Pretrained', checkpoint=clip, prefix='backbone.'),
    ),
    denoiser=dict(embed_dim=embed_dim),
)
