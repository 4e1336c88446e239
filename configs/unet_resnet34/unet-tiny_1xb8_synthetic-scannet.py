# A narrow image network for generated rooms: minutes on two CPU cores.
_base_ = [
    '../_base_/models/unet_resnet34.py',
    '../_base_/datasets/scannet_views.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/iteration_runtime.py',
]

# Often changed
data_root = 'data/rooms/'
max_iters = 1000
batch_size = 8

# Sometimes
depth, base_channels = 18, 16

# Rarely
model = dict(
    image_backbone=dict(depth=depth, base_channels=base_channels, dropout=0.2, trunk_init_cfg=None),
)
train_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root, every=2))
test_dataloader = dict(batch_size=batch_size, num_workers=1, dataset=dict(data_root=data_root, every=2))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=20))
log_processor = dict(window_size=20)
