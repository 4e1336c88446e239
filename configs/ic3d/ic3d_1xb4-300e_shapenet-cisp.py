# IC3D conditioned on CISP's embedding of an image, at the released code's settings: one embedding for each shape, of
# its view 0. Train configs/cisp/cisp_1xb64-100e_shapenet.py first. The moving average of the weights is ours.
_base_ = [
    '../_base_/models/ic3d.py',
    '../_base_/datasets/shapenet_voxels.py',
    '../_base_/schedules/adamw_plateau_300e.py',
    '../_base_/shape_runtime.py',
]

# Often changed
encoder_checkpoint = 'work_dirs/cisp_1xb64-100e_shapenet/epoch_100.pth'
batch_size = 4

# Sometimes
train_views = [0]
ema_momentum = 1e-4

# Rarely
model = dict(
    image_encoder=dict(
        type='CISPImageEncoder',
        init_cfg=dict(type='Pretrained', checkpoint=encoder_checkpoint, prefix='image_encoder.'),
    ),
)
train_dataloader = dict(batch_size=batch_size, dataset=dict(views=train_views))
val_evaluator = dict(type='NoiseErrorMetric')
test_evaluator = dict(type='ShapeGenerationMetric')
custom_hooks = [dict(type='EMAHook', momentum=ema_momentum)]
default_hooks = dict(checkpoint=dict(save_best='noise_error', rule='less'))
