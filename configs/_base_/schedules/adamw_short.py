# A short schedule that one number drives: `train_cfg.max_epochs`, from a leaf config or --cfg-options. Warm-up over the
# first 20 iterations, then polynomial decay whose end follows max_epochs.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2),
    clip_grad=dict(max_norm=1, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=True, convert_to_iter_based=True),
]

auto_scale_lr = dict(enable=False, base_batch_size=2)
