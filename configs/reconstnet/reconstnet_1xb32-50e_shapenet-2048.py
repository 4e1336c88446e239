# 3D-ReConstNet with 2048 points, the paper's other size.
_base_ = './reconstnet_1xb32-50e_shapenet.py'

# Often changed
num_points = 2048

# Rarely
model = dict(head=dict(num_points=num_points))
train_dataloader = dict(dataset=dict(num_points=num_points))
val_dataloader = dict(dataset=dict(num_points=num_points))
test_dataloader = dict(dataset=dict(num_points=num_points))
