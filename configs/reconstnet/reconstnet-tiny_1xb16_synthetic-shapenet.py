# A narrow 3D-ReConstNet for generated models: ResNet-18 on 64 x 64 pixels, 512 points, minutes on a CPU core.
_base_ = [
    '../_base_/models/re_const_net.py',
    '../_base_/datasets/shapenet_r2n2.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/shape_runtime.py',
]

# Often changed
max_iters = 500
batch_size = 16

# Sometimes
num_points = 512  # predicted, and of the true clouds' 1024 those that are trained on, other ones each time
image_size = 64
lr = 1e-3

# Rarely
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ResNet', depth=18, stem_channels=32, base_channels=32),
    head=dict(
        num_points=num_points,
        fc_channels=128,
        latent_channels=32,
        hidden_channels=[128, 256],
        init_cfg=None,
    ),
)
steps = dict(LoadRendering=dict(size=image_size))
kept = dict(steps, LoadCloudTarget=dict(keep=num_points, sampling='random'))
train_pipeline = [dict(step, **kept.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
# As many points of either cloud; not aligned, so that a wrong pose counts.
val_evaluator = dict(points=num_points)
test_evaluator = dict(points=num_points, align='none')
optim_wrapper = dict(optimizer=dict(lr=lr))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1),
    logger=dict(interval=20, log_metric_by_epoch=False),
)
log_processor = dict(by_epoch=False, window_size=20)
