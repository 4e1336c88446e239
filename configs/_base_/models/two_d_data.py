"""2DDATA on nuScenes (arXiv 2309.11755): 2DPASS with a branch for the points in 2D boxes, in training only.

What the paper leaves open, and why these values: projects/2DDATA/README.md.
"""

num_classes = 16

model = dict(
    type='TwoDDATA',
    data_preprocessor=dict(
        type='FusionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='SPVEncoder',
        in_channels=4,
        hidden=256,
        scales=[2, 4, 8, 16, 16, 16],
        lower=[-50, -50, -4],
        upper=[50, 50, 3],
        spatial_shape=[1000, 1000, 70],
    ),
    decode_head=dict(
        type='PointSegHead',
        channels=128,
        num_classes=num_classes,
        ignore_index=num_classes,
        loss_ce=dict(type='PointCrossEntropyLoss', loss_weight=1.0),
        loss_lovasz=dict(type='LovaszSoftmaxLoss', loss_weight=1.0),
    ),
    # For training only; `predict` runs the 3D network alone.
    image_backbone=dict(type='ResNetFCN', depth=34),  # as wide as the encoder
    fusion=dict(type='GatedFusion', hidden=128, image_skip=False, kl_weight=0.05, seg_weight=1.0),
    object_branch=dict(
        type='LocalObjectBranch',
        hidden=128,
        embedding='interest',
        point_class='soft',
        overlap='max',
        activation='raw',
        min_visibility=0,
        seg_weight=1.0,
        point_weight=1.0,
        kl_weight=0.05,
        kl_schedule=dict(type='constant'),
    ),
)
tta_model = dict(type='PointVoteTTAModel', vote='logit_sum')
