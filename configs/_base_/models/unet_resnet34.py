"""The image network of MVPNet and SAFNet by itself: ResNet-34 from ImageNet, and a U-Net's decoder."""

num_classes = 20

model = dict(
    type='ViewSegmentor',
    data_preprocessor=dict(
        type='FusionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    image_backbone=dict(
        type='UNetResNet34',
        num_classes=num_classes,
        dropout=0.5,
        trunk_init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34'),
    ),
    ignore_index=num_classes,
    # 1 / ln(1.2 + share) of each class among the points, as SAFNet's published code weighs pixels, too.
    loss_image=dict(
        class_weight=[
            2.389689, 2.7215734, 4.5944676, 4.8543367, 4.096086, 4.907941, 4.690836, 4.512031, 4.623311, 4.9242644,
            5.358117, 5.360071, 5.019636, 4.967126, 5.3502126, 5.4023647, 5.4027233, 5.4169416, 5.3954206, 4.6971426,
        ]
    ),
)  # fmt: skip
