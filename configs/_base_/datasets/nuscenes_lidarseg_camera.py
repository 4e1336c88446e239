"""nuScenes-lidarseg with camera images and their 2D boxes in training (2DPASS's augmentation), points alone in testing.

Info files: python tools/create_data.py nuscenes --root-path data/nuscenes --workers 8
"""

_base_ = './nuscenes_lidarseg.py'

# Often changed
num_views = 1  # cameras drawn at random for each training sample, 1..6 (2DPASS: 1)

# Sometimes
image_size = (400, 240)  # width, height of training images (2DPASS); multiples of 16

# Rarely
train_pipeline = [
    dict(type='LoadLidarSweep', load_dim=5, use_dim=4),
    dict(type='LoadLidarSeg'),
    dict(type='LoadCameraImages', num_views=num_views),
    dict(type='LoadBoxes2D'),  # before anything changes the images
    dict(type='MatchPointsToPixels'),  # before anything changes points or images
    dict(type='DropPoints', max_ratio=0.2),
    dict(type='RandomSweepTransform', rotation=[0, 360], flip=True, scale_xy=[0.95, 1.05], translation_std=0.1),
    dict(type='PointsInVolume', lower=_base_.lower, upper=_base_.upper),
    dict(type='ResizeImages', size=image_size),
    dict(type='JitterImageColours', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(type='RandomFlipImages', prob=0.5),
    dict(type='PackFusionInputs'),
]
train_dataloader = dict(
    dataset=dict(
        pipeline=train_pipeline,
        modality=dict(use_lidar=True, use_camera=True),  # without use_camera the samples carry no 2D boxes
    ),
)
