# SAFNet (IV-B-4): Adam 1e-3, divided by 10 every 40 epochs, 150 epochs. The paper does not say what an epoch is; here,
# as in its ancestor's dataset, one random chunk of each scan.
max_epochs = 150

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = [dict(type='StepLR', step_size=40, gamma=0.1, by_epoch=True)]

auto_scale_lr = dict(enable=False, base_batch_size=32)
