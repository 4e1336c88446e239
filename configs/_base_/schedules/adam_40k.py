# MVPNet (its published config): Adam 2e-3, divided by 10 after 24,000 and 32,000 of 40,000 iterations.
_base_ = './by_iteration.py'

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-3))
param_scheduler = [dict(type='MultiStepLR', milestones=[24000, 32000], gamma=0.1, by_epoch=False)]
