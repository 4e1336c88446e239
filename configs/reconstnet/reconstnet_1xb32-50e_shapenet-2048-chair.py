# 3D-ReConstNet with 2048 points on chairs: what the diversity loss is added to.
_base_ = './reconstnet_1xb32-50e_shapenet-2048.py'

# Often changed
categories = ['chair']

# Rarely
train_dataloader = dict(dataset=dict(categories=categories))
val_dataloader = dict(dataset=dict(categories=categories))
test_dataloader = dict(dataset=dict(categories=categories))
