"""ScanNet for segmentation of points alone, in MVPNet's chunks (arXiv 1909.13603).

Files: python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_small --workers 8
"""

# Often changed
data_root = 'data/scannet_small/'
batch_size = 32  # MVPNet; SAFNet's paper gives none
num_workers = 4

# Sometimes
num_points = 8192  # drawn from each training chunk (SAFNet IV-B-4)
use_color = False  # red, green, blue of the vertices beside xyz; in_channels of the backbone is then 3
stride = 0.5  # metres between the chunks of a whole scan (SAFNet IV-B-5)
min_points = 1000  # chunks with fewer points in their core are left out, unless a point would be in none (MVPNet)
num_votes = 4  # of test-time augmentation; ours, the papers have none

# Rarely
dataset_type = 'ScanNetRGBDDataset'
data_prefix = dict(pts='points', pts_semantic_mask='semantic_mask', frames='frames')
size, margin = [1.5, 1.5], 0.2  # metres (SAFNet IV-B-1; margin: MVPNet)

train_pipeline = [
    dict(type='LoadScan', use_color=use_color),
    dict(type='RandomChunk', size=size, margin=margin, min_labelled=0.3, tries=10),
    dict(type='SamplePoints', num_points=num_points),
    dict(type='RandomSweepTransform', rotation=[-180, 180], flip=False, scale_xy=[1, 1], translation_std=0),
    dict(type='PackFusionInputs'),
]
cut = dict(type='CutIntoChunks', size=size, stride=stride, margin=margin, min_points=min_points)
test_pipeline = [dict(type='LoadScan', use_color=use_color), cut, dict(type='PackFusionInputs')]
votes = [dict(type='VoteRotTrans', vote=vote, seed=0, translation_std=0) for vote in range(num_votes)]
tta_pipeline = [
    test_pipeline[0],
    dict(type='TestTimeAug', transforms=[votes, *[[step] for step in test_pipeline[1:]]]),
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='scannet_infos_train.json',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
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
        ann_file='scannet_infos_val.json',
        data_prefix=data_prefix,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ScanNetSegMetric')
test_evaluator = val_evaluator
