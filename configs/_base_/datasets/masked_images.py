"""Images with a mask and a class each: the image for ResNet, the points of its foreground for PointNet (SIM-Net,
arXiv 2506.18683). What extends this names the dataset. Sizes and augmentations are ours, the paper's are not known."""

# Often changed
batch_size = 32  # ours
num_workers = 4

# Sometimes
image_size = 224  # pixels, ours
num_points = 1024  # 102 in the paper's Table 10
features = 'xyz'  # 'xyzrgb' are its 6-D points; in_channels of the point backbone is then 3
z_mode = 'mean_rgb'  # 'zero' in its Table 11
image_source = 'original'  # its SIPD; 'segmented' is its SSIPD

# Rarely
points = dict(type='PixelToPoint', num_points=num_points, features=features, z_mode=z_mode)
pack = dict(type='PackImageInputs', image_source=image_source)
train_geometry = [
    dict(type='mmpretrain.RandomResizedCrop', scale=image_size, crop_ratio_range=(0.5, 1.0), interpolation='area'),
    dict(type='RandomFlip', prob=0.5),
]
test_geometry = [
    dict(type='mmpretrain.ResizeEdge', scale=256, edge='short', interpolation='area'),
    dict(type='CenterCrop', crop_size=image_size),
]
train_pipeline = [
    dict(type='LoadImageAndMask'),
    dict(type='TransformImageAndMask', transforms=train_geometry),
    points,
    pack,
]
test_pipeline = [
    dict(type='LoadImageAndMask'),
    dict(type='TransformImageAndMask', transforms=test_geometry),
    dict(points, seed=0),  # the same points of an image each time
    pack,
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='mmpretrain.Accuracy'),
    # Macro averages: the paper's F-score does not say which it is.
    dict(type='mmpretrain.SingleLabelMetric', items=['precision', 'recall', 'f1-score']),
]
test_evaluator = val_evaluator
