# SAFNet trained and tested with one view, for the paper's Fig. 5 (b).
_base_ = './safnet_1xb32-150e_scannet-3views.py'

# Often changed
num_views = 1

# Rarely
steps = dict(SelectViews=dict(num_views=num_views))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
tta_pipeline = [
    test_pipeline[0],
    dict(type='TestTimeAug', transforms=[_base_.votes, *[[step] for step in test_pipeline[1:]]]),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
