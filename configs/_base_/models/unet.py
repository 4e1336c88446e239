"""U-Net (arXiv 1505.04597) that finds the object in a photograph. SIM-Net's paper has one and prints no sizes: those of
the original, batch normalisation, and the sum of binary cross entropy and Dice loss are ours."""

model = dict(
    type='UNetSegmentor',
    data_preprocessor=dict(
        type='FusionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='UNet', base_channels=64, num_levels=4),
    loss_mask=dict(type='MaskLoss', bce_weight=1.0, dice_weight=1.0),
)
