"""ScanNet for segmentation of points with the views that see most of each chunk (MVPNet, SAFNet).

Files: python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_small --workers 8
"""

_base_ = './scannet_points.py'

# Often changed
num_views = 3  # of each chunk, in training (SAFNet IV-D)
test_views = 3  # 5 on the benchmark (SAFNet IV-C)

# Sometimes
labels = 'label'  # 2D labels, raw as in MVPNet, or 'label-filt'
pixel_neighbours, point_neighbours, octant_radius = 64, 64, 0.1  # MVPNet needs 3, 0 and None

# Rarely
pixel_margin = 0.1  # metres around the box in which pixels belong to a chunk (MVPNet); in testing model.test_cfg has it

train_pipeline = [
    dict(type='LoadScan'),
    dict(type='RandomChunk', size=_base_.size, margin=_base_.margin, min_labelled=0.3, tries=10),
    dict(type='SelectViews', num_views=num_views),
    dict(type='LoadViews', labels=labels),
    dict(type='UnprojectViews', margin=pixel_margin),
    dict(type='SamplePoints', num_points=_base_.num_points),
    dict(type='RandomSweepTransform', rotation=[-180, 180], flip=False, scale_xy=[1, 1], translation_std=0),
    dict(type='RandomFlipImages', prob=0.5),
    dict(type='JitterImageColours', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(type='FindNeighbours', pixels=pixel_neighbours, points=point_neighbours, octant_radius=octant_radius),
    dict(type='PackFusionInputs'),
]
test_pipeline = [
    dict(type='LoadScan'),
    _base_.cut,
    dict(type='SelectViews', num_views=test_views),
    dict(type='LoadViews'),
    dict(type='UnprojectViews'),
    dict(type='PackFusionInputs'),
]
tta_pipeline = [
    test_pipeline[0],
    dict(type='TestTimeAug', transforms=[_base_.votes, *[[step] for step in test_pipeline[1:]]]),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
