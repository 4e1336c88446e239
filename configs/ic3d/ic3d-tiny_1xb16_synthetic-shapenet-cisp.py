# A narrow IC3D for generated models, conditioned on the narrow CISP: 32^3 voxels folded to 4^3 cells, minutes on a CPU
# core. Train configs/cisp/cisp-tiny_1xb64_synthetic-shapenet.py first.
_base_ = [
    '../_base_/models/ic3d.py',
    '../_base_/datasets/shapenet_voxels.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/shape_runtime.py',
]

# Often changed
max_iters = 800
batch_size = 16
embed_dim = 64
encoder_checkpoint = 'work_dirs/cisp-tiny_1xb64_synthetic-shapenet/iter_300.pth'
guidance = 1.5
steps = 25
num_samples = 1

# Sometimes
image_size = 64
lr = 2e-3

# Rarely
model = dict(
    image_encoder=dict(
        type='CISPImageEncoder',
        backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=16),
        embed_channels=embed_dim,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_checkpoint, prefix='image_encoder.'),
    ),
    # 64 channels of a cell can say how its 512 voxels are filled, but not what noise each of them has.
    diffusion=dict(prediction='start'),
    denoiser=dict(
        model_channels=64,
        channel_mult=[1, 1],
        num_res_blocks=1,
        attention_at=[1],
        num_groups=8,
        embed_dim=embed_dim,
        token_channels=64,
        patch_size=8,
    ),
    sampling=dict(num_samples=num_samples, guidance=guidance, sampler='ddim', steps=steps, clip=True, rows_at_once=40),
)
steps_of = dict(LoadRendering=dict(size=image_size))
train_pipeline = [dict(step, **steps_of.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = train_pipeline
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='NoiseErrorMetric')
test_evaluator = dict(type='ShapeGenerationMetric', points=512)
optim_wrapper = dict(optimizer=dict(lr=lr))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = [dict(type='EMAHook', momentum=0.02)]
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1, save_best='noise_error', rule='less'),
    logger=dict(interval=20, log_metric_by_epoch=False),
)
log_processor = dict(by_epoch=False, window_size=20)
