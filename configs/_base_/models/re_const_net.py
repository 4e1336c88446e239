"""3D-ReConstNet (IEEE Access 8, 2020) as its released code has it: ResNet-50 with its own fc, two linear layers to the
mean and the log-variance of a 100-d Gaussian, and an MLP of 512, 1024 and 3N channels. No KL term.

29,483,056 parameters for N = 1024, 32,631,856 for 2048. The released code starts from torchvision's ImageNet weights,
here from MMPreTrain's; like it, from pixels of 0..255 as they are.
"""

# Sometimes
imagenet = 'https://download.openmmlab.com/mmclassification/v0/resnet/resnet50_8xb32_in1k_20210831-ea4938fc.pth'

# Rarely
model = dict(
    type='ReConstNet',
    data_preprocessor=dict(type='FusionDataPreprocessor', bgr_to_rgb=True),
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        init_cfg=dict(type='Pretrained', checkpoint=imagenet, prefix='backbone'),
    ),
    head=dict(
        type='ReConstNetHead',
        num_points=1024,
        loss_chamfer=dict(type='ChamferLoss'),
        loss_emd=dict(type='SinkhornLoss'),
        init_cfg=dict(type='Pretrained', checkpoint=imagenet, prefix='head'),
    ),
)
