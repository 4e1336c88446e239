# A narrow MVPNet for generated rooms: minutes on two CPU cores. Its image network is trained first:
#   python tools/train.py configs/unet_resnet34/unet-tiny_1xb8_synthetic-scannet.py
_base_ = [
    '../_base_/models/mvpnet.py',
    '../_base_/datasets/scannet_rgbd.py',
    '../_base_/schedules/adamw_iterations.py',
    '../_base_/iteration_runtime.py',
]

# Often changed
data_root = 'data/rooms/'
load_from = 'work_dirs/unet-tiny_1xb8_synthetic-scannet/iter_1000.pth'
max_iters = 400
batch_size = 4

# Sometimes
num_points = 2048
stride, min_points = 1.0, 200

# Rarely
model = dict(
    image_backbone=dict(depth=18, base_channels=16, dropout=0.2),
    aggregation=dict(channels=[32, 32, 32]),
    backbone=dict(
        sa_channels=[[16, 16, 32], [32, 32, 64], [64, 64, 128]],
        num_centroids=[512, 128, 32],
        radii=[0.2, 0.4, 0.8],
        max_neighbours=[16, 16, 16],
        fp_channels=[[128, 128], [128, 64], [64, 64]],
    ),
    decode_head=dict(channels=[64]),
)
steps = dict(
    SamplePoints=dict(num_points=num_points),
    CutIntoChunks=dict(stride=stride, min_points=min_points),
    FindNeighbours=dict(pixels=3, points=0, octant_radius=None),
)
train_steps = dict(steps, LoadViews=dict(labels=None))  # a frozen image network learns from no label
train_pipeline = [dict(step, **train_steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
tta_pipeline = [
    test_pipeline[0],
    dict(type='TestTimeAug', transforms=[_base_.votes, *[[step] for step in test_pipeline[1:]]]),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=20))
log_processor = dict(window_size=20)
