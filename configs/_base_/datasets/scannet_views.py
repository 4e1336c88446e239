"""Frames of ScanNet with labels of their pixels, to train an image network (MVPNet, arXiv 1909.13603).

Files: python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_small --workers 8
"""

# Often changed
data_root = 'data/scannet_small/'
batch_size = 32  # MVPNet
num_workers = 4

# Sometimes
every = 1  # so-manieth frame of each scan in training
every_val = 20
labels = 'label'  # raw as in MVPNet, or 'label-filt'

# Rarely
dataset_type = 'ScanNetViewDataset'
data_prefix = dict(pts='points', pts_semantic_mask='semantic_mask', frames='frames')

train_pipeline = [
    dict(type='LoadViews', geometry=False, labels=labels),
    dict(type='RandomFlipImages', prob=0.5),
    dict(type='JitterImageColours', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(type='PackFusionInputs'),
]
test_pipeline = [dict(type='LoadViews', geometry=False, labels=labels), dict(type='PackFusionInputs')]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='scannet_infos_train.json',
        data_prefix=data_prefix,
        every=every,
        pipeline=train_pipeline,
        max_corrupt_fraction=0.001,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='scannet_infos_val.json',
        data_prefix=data_prefix,
        every=every_val,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ViewSegMetric')
test_evaluator = val_evaluator
