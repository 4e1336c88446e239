# Adam 1e-4 throughout, 50 epochs of batches of 32. All of it is ours: SIM-Net's schedule is not known to us.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))

auto_scale_lr = dict(enable=False, base_batch_size=32)
