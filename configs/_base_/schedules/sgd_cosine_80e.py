# Schedule of 2DPASS on nuScenes (its published config and train script): 4 GPUs x 8 samples, 80 epochs.
max_epochs = 80

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.24, momentum=0.9, weight_decay=1e-4, nesterov=True),
    clip_grad=dict(max_norm=1, norm_type=2),
)
# Per epoch. The cosine ends four epochs early and then rises a little, as in the original.
param_scheduler = [dict(type='CosineAnnealingLR', T_max=max_epochs - 4, eta_min=1e-5, by_epoch=True)]

auto_scale_lr = dict(enable=False, base_batch_size=32)
