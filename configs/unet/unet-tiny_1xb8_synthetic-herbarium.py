# A narrow U-Net for generated herbarium sheets: minutes on a CPU core.
_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/herbarium_masks.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/image_runtime.py',
]

# Often changed
max_iters = 300  # four epochs of 600 sheets
batch_size = 8

# Sometimes
base_channels = 8
image_size = (128, 192)  # the sheets' shape

# Rarely
model = dict(backbone=dict(base_channels=base_channels))
resize = dict(type='Resize', scale=image_size, interpolation='area')
train_steps = dict(TransformImageAndMask=dict(transforms=[resize, dict(type='RandomFlip', prob=0.5)]))
test_steps = dict(TransformImageAndMask=dict(transforms=[resize]))
train_pipeline = [dict(step, **train_steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **test_steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=20, log_metric_by_epoch=False),
)
log_processor = dict(by_epoch=False, window_size=20)
