"""PointNet++ with single-scale grouping on ScanNet, as MVPNet and SAFNet use it: the baseline without images."""

num_classes = 20
# 1 / ln(1.2 + share) of each class among the points of ScanNet's training scans, as in MMDetection3D's configs.
class_weight = [
    2.389689, 2.7215734, 4.5944676, 4.8543367, 4.096086, 4.907941, 4.690836, 4.512031, 4.623311, 4.9242644,
    5.358117, 5.360071, 5.019636, 4.967126, 5.3502126, 5.4023647, 5.4027233, 5.4169416, 5.3954206, 4.6971426,
]  # fmt: skip

model = dict(
    type='PointSetSegmentor',
    data_preprocessor=dict(
        type='FusionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='PointNet2SSG'),
    decode_head=dict(
        type='PointMLPHead',
        channels=[128],
        num_classes=num_classes,
        ignore_index=num_classes,
        dropout=0.5,
        loss_ce=dict(class_weight=class_weight),
    ),
    test_cfg=dict(vote='mean'),  # of logits (published code); 'majority' (SAFNet IV-B-5)
)
tta_model = dict(type='PointVoteTTAModel', vote='logit_sum')
