# MVPNet's image network (its published config): SGD 0.005, divided by 10 after 60,000 and 70,000 of 80,000 iterations.
_base_ = './by_iteration.py'

train_cfg = dict(max_iters=80000)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4))
param_scheduler = [dict(type='MultiStepLR', milestones=[60000, 70000], gamma=0.1, by_epoch=False)]
