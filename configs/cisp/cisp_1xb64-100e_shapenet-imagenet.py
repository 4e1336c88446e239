# CISP whose image encoder begins with ImageNet's weights. The released code can do so, but its script does not.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Sometimes
imagenet = (
    'https://download.openmmlab.com/mmclassification/v0/deit/'
    'deit-base-distilled_3rdparty_pt-16xb64_in1k_20211216-42891296.pth'
)

# Rarely
model = dict(
    image_encoder=dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=imagenet, prefix='backbone.'))),
)
