# A narrow network for generated streets: minutes on two CPU cores. `make demo` trains it.
_base_ = [
    '../_base_/models/point_voxel_segmentor.py',
    '../_base_/datasets/nuscenes_lidarseg.py',
    '../_base_/schedules/adamw_short.py',
    '../_base_/default_runtime.py',
]

# Often changed
data_root = 'data/demo/nuscenes/'
max_epochs = 16
batch_size = 2

# Sometimes
hidden = 32
scales = [2, 4, 8, 16]

# Rarely
model = dict(
    backbone=dict(hidden=hidden, scales=scales),
    decode_head=dict(channels=64),
)
train_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=max_epochs, val_interval=8)
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=4, max_keep_ckpts=1))
