# SIM-Net on 6-D points: x, y, z and the colour of the pixel.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

# Rarely
model = dict(point_backbone=dict(in_channels=3))
steps = dict(PixelToPoint=dict(features='xyzrgb'))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
