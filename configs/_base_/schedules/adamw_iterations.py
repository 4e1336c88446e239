# A short schedule that one number drives: `train_cfg.max_iters`. Warm-up over the first 20 iterations, then polynomial
# decay whose end follows max_iters.
_base_ = './by_iteration.py'

train_cfg = dict(max_iters=400, val_interval=400)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False),
]
