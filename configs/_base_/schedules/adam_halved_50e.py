# 3D-ReConstNet (its released code): Adam 5e-5, halved after 20 and after 40 epochs. 50 epochs of batches of 32, as the
# paper says; the loop of the code, from 0 to 50, makes one more.
max_epochs = 50

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5))
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 40], gamma=0.5, by_epoch=True)]

auto_scale_lr = dict(enable=False, base_batch_size=32)
