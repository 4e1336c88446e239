# SIM-Net whose z is depth, which the paper's outlook asks for. The maps are yours, of any monocular estimator.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

# Often changed
depth_root = 'depths'  # below data_root: a map of each image, of its name and size (.npy, .png, .tif, .tiff, .exr)

# Rarely
load = dict(type='LoadDepthMap', resize=False)  # True stretches maps of another size
steps = dict(PixelToPoint=dict(z_mode='depth'))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_pipeline = [train_pipeline[0], load, *train_pipeline[1:]]
test_pipeline = [test_pipeline[0], load, *test_pipeline[1:]]
train_dataloader = dict(dataset=dict(depth_root=depth_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(depth_root=depth_root, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(depth_root=depth_root, pipeline=test_pipeline))
