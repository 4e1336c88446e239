# A narrow SIM-Net for generated herbarium sheets: ResNet-18 and PointNet, two minutes on a CPU core. From random
# weights it learns fruit in this time; thorns take the image far longer. Masks and few-shot: at the top of
# configs/_base_/datasets/herbarium.py.
_base_ = [
    '../_base_/models/sim_net.py',
    '../_base_/datasets/herbarium.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/image_runtime.py',
]

# Often changed
max_iters = 180  # ten epochs of 600 sheets; as many steps with few of them
batch_size = 32
trait = 'fruit'  # 'thorns', 'lobed'

# Sometimes
image_size = (128, 128)
lr = 2e-3

# Rarely
model = dict(
    image_backbone=dict(_delete_=True, type='mmpretrain.ResNet', depth=18, stem_channels=16, base_channels=16),
    point_backbone=dict(
        local_channels=[16, 32],
        global_channels=[32, 64, 128],
        transform_channels=[16, 32, 64],
        transform_hidden=[64, 32],
    ),
    head=dict(mid_channels=[128, 64]),
)
resize = dict(type='Resize', scale=image_size, interpolation='area')
train_steps = dict(TransformImageAndMask=dict(transforms=[resize, dict(type='RandomFlip', prob=0.5)]))
test_steps = dict(TransformImageAndMask=dict(transforms=[resize]))
train_pipeline = [dict(step, **train_steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **test_steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(trait=trait, pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(trait=trait, pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(trait=trait, pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=lr))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1),
    logger=dict(interval=20, log_metric_by_epoch=False),
)
log_processor = dict(by_epoch=False, window_size=20)
