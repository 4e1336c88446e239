# SAFNet as on the benchmark: 5 views in training and testing (IV-C-1).
_base_ = './safnet_1xb32-150e_scannet-3views.py'

# Often changed
num_views = 5

# Rarely
steps = dict(SelectViews=dict(num_views=num_views))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
