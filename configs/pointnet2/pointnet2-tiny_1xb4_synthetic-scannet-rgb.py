# The narrow PointNet++ with the vertices' colours: how far colour helps in generated rooms without images.
_base_ = './pointnet2-tiny_1xb4_synthetic-scannet.py'

# Rarely
load = dict(LoadScan=dict(use_color=True))
model = dict(backbone=dict(in_channels=3))
train_pipeline = [dict(step, **load.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **load.get(step['type'], {})) for step in _base_.test_pipeline]
tta_pipeline = [
    test_pipeline[0],
    dict(type='TestTimeAug', transforms=[_base_.votes, *[[step] for step in test_pipeline[1:]]]),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
