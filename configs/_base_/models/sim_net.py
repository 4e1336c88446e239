"""SIM-Net (arXiv 2506.18683): 2048 channels of ResNet-101 and 1024 of PointNet, joined to 3072, and an MLP.

The layers of the MLP (512 and 256, dropout 0.3) and ImageNet's weights for the start are ours.
"""

num_classes = 2

model = dict(
    type='SIMNet',
    data_preprocessor=dict(
        type='FusionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    image_backbone=dict(
        type='mmpretrain.ResNet',
        depth=101,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/'
            'resnet101_8xb32_in1k_20210831-539c63f8.pth',
            prefix='backbone',
        ),
    ),
    point_backbone=dict(type='PointNet'),
    fusion='concat',
    head=dict(num_classes=num_classes),
)
