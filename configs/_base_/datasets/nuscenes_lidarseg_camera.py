"""nuScenes-lidarseg with camera images and their 2D boxes in training (2DPASS's augmentation), points alone in testing.

Info files: python tools/create_data.py nuscenes --root-path data/nuscenes --workers 8
"""

# Often changed
data_root = 'data/nuscenes/'
batch_size = 8
num_workers = 4
num_views = 1  # cameras drawn at random for each training sample, 1..6 (2DPASS: 1)

# Sometimes
image_size = (400, 240)  # width, height of training images (2DPASS); multiples of 16
lower, upper = [-50, -50, -4], [50, 50, 3]  # the network's volume in metres
num_votes = 12  # of test-time augmentation (2DPASS's README)

# Rarely
dataset_type = 'NuScenesLidarSegDataset'
data_prefix = dict(
    pts='samples/LIDAR_TOP',
    CAM_FRONT='samples/CAM_FRONT',
    CAM_FRONT_RIGHT='samples/CAM_FRONT_RIGHT',
    CAM_FRONT_LEFT='samples/CAM_FRONT_LEFT',
    CAM_BACK='samples/CAM_BACK',
    CAM_BACK_LEFT='samples/CAM_BACK_LEFT',
    CAM_BACK_RIGHT='samples/CAM_BACK_RIGHT',
)

train_pipeline = [
    dict(type='LoadLidarSweep', load_dim=5, use_dim=4),
    dict(type='LoadLidarSeg'),
    dict(type='LoadCameraImages', num_views=num_views),
    dict(type='LoadBoxes2D'),  # before anything changes the images
    dict(type='MatchPointsToPixels'),  # before anything changes points or images
    dict(type='DropPoints', max_ratio=0.2),
    dict(type='RandomSweepTransform', rotation=[0, 360], flip=True, scale_xy=[0.95, 1.05], translation_std=0.1),
    dict(type='PointsInVolume', lower=lower, upper=upper),
    dict(type='ResizeImages', size=image_size),
    dict(type='JitterImageColours', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(type='RandomFlipImages', prob=0.5),
    dict(type='PackFusionInputs'),
]
test_pipeline = [
    dict(type='LoadLidarSweep', load_dim=5, use_dim=4),
    dict(type='LoadLidarSeg'),
    dict(type='PackFusionInputs'),
]
tta_pipeline = [
    dict(type='LoadLidarSweep', load_dim=5, use_dim=4),
    dict(type='LoadLidarSeg'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='VoteRotTrans', vote=vote, seed=0) for vote in range(num_votes)],
            [dict(type='PackFusionInputs')],
        ],
    ),
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='nuscenes_infos_train.json',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
        modality=dict(use_lidar=True, use_camera=True),  # without use_camera the samples carry no 2D boxes
        max_corrupt_fraction=0.001,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='nuscenes_infos_val.json',
        data_prefix=data_prefix,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='LidarSegMetric')
test_evaluator = val_evaluator
