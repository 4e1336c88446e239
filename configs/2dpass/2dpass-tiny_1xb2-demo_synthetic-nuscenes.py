# 2DPASS on the narrow network of point-voxel-tiny, for generated streets: minutes on two CPU cores.
_base_ = [
    '../_base_/models/two_d_pass.py',
    '../_base_/datasets/nuscenes_lidarseg_camera.py',
    '../_base_/schedules/adamw_short.py',
    '../_base_/default_runtime.py',
]

# Often changed
data_root = 'data/demo/nuscenes/'
max_epochs = 16
batch_size = 2
num_views = 1  # cameras drawn at random for each training sample, 1..6

# Sometimes
hidden = 32
scales = [2, 4, 8, 16]
image_size = (192, 112)  # width, height; multiples of 16

# Rarely
model = dict(
    backbone=dict(hidden=hidden, scales=scales),
    decode_head=dict(channels=64),
    image_backbone=dict(depth=18, base_channels=16),
    fusion=dict(hidden=64),
)
steps = dict(LoadCameraImages=dict(num_views=num_views), ResizeImages=dict(size=image_size))
train_pipeline = [
    dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline if step['type'] != 'LoadBoxes2D'
]
train_dataloader = dict(
    batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=max_epochs, val_interval=8)
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=4, max_keep_ckpts=1))
