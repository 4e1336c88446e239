# A narrow CISP for generated models: ResNet-18 on 64 x 64 pixels, a small transformer of voxels, minutes on a CPU core.
_base_ = [
    '../_base_/models/cisp.py',
    '../_base_/datasets/shapenet_voxels.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/shape_runtime.py',
]

# Often changed
max_iters = 300
batch_size = 64
embed_channels = 64

# Sometimes
image_size = 64
lr = 2e-3

# Rarely
model = dict(
    image_encoder=dict(
        backbone=dict(_delete_=True, type='ResNet', depth=18, stem_channels=16, base_channels=16),
        embed_channels=embed_channels,
    ),
    shape_encoder=dict(
        backbone=dict(
            _delete_=True,
            type='VoxelViT',
            arch=dict(embed_dims=96, num_layers=4, num_heads=4, feedforward_channels=192),
        ),
        embed_channels=embed_channels,
    ),
)
steps = dict(LoadRendering=dict(size=image_size))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = train_pipeline
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type='DistinctInfiniteSampler', batch_size=batch_size),  # each model of a batch once
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='RetrievalMetric')
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(lr=lr))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1, save_best='i2s_top1_overall', rule='greater'),
    logger=dict(interval=20, log_metric_by_epoch=False),
)
log_processor = dict(by_epoch=False, window_size=20)
