# IC3D (the released code of CISP): AdamW 3e-4, less when seven epochs were no better, float16, 300 epochs. What the
# code watches is not known: here the error of the noise on val. Factor and threshold are torch's.
max_epochs = 300

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', optimizer=dict(type='AdamW', lr=3e-4))
param_scheduler = [
    dict(type='ReduceOnPlateauLR', monitor='noise_error', rule='less', factor=0.1, patience=7, threshold=1e-4),
]

auto_scale_lr = dict(enable=False, base_batch_size=4)
