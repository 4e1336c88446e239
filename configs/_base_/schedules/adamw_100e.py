# CISP (its released code): AdamW 1e-4 throughout, betas 0.9 and 0.98, eps 1e-6, torch's weight decay, 100 epochs.
max_epochs = 100

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01),
)

auto_scale_lr = dict(enable=False, base_batch_size=64)
