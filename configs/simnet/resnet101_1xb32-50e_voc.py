# ResNet-101 by itself on PASCAL VOC 2012: the baseline, which sees the image alone.
_base_ = './simnet_r101-pointnet_1xb32-50e_voc.py'

# Rarely
model = dict(point_backbone=None)
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'PixelToPoint']
test_pipeline = [step for step in _base_.test_pipeline if step['type'] != 'PixelToPoint']
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
