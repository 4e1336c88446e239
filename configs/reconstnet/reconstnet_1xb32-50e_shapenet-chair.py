# 3D-ReConstNet on one category, as the released code trains it; any other, or several, in the one line below.
_base_ = './reconstnet_1xb32-50e_shapenet.py'

# Often changed
categories = ['chair']

# Rarely
train_dataloader = dict(dataset=dict(categories=categories))
val_dataloader = dict(dataset=dict(categories=categories))
test_dataloader = dict(dataset=dict(categories=categories))
