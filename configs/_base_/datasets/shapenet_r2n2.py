"""ShapeNet's 13 categories for 3D-ReConstNet: 3D-R2N2's renderings, 3D-LMNet's clouds and split (train, val: 4 to 1).

Is everything there?  python tools/create_data.py shapenet --root-path data/shapenet --workers 8
Generated models:     python tools/make_synthetic.py shapenet --out data/shapenet --models 100 --seed 0
"""

# Often changed
data_root = 'data/shapenet/'
categories = None  # all; ['chair'] takes one: names as chair or airplane, or synset ids
num_points = 1024  # of the true clouds, 1024 or 2048, and as many in model.head
batch_size = 32
num_workers = 4

# Sometimes
num_views = 24  # pictures of each model; fewer where fewer were generated
val_views = [0]  # ours: an epoch is scored on one view of each model, without EMD and alignment
test_views = None  # all; [0] takes a 24th of the time
image_size = None  # pixels: the 128 that are cut out of 137 are scaled to this

# Rarely
dataset_type = 'ShapeNetR2N2Dataset'
train_pipeline = [
    dict(type='LoadRendering', size=image_size),
    dict(type='LoadViewpoint'),
    dict(type='LoadCloudTarget'),
    dict(type='PackShapeInputs'),
]
test_pipeline = train_pipeline
models = dict(
    type=dataset_type,
    data_root=data_root,
    split='lmnet',
    categories=categories,
    num_views=num_views,
    num_points=num_points,
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(models, part='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(models, part='val', views=val_views, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], views=test_views))

val_evaluator = dict(type='ReconstructionMetric', emd='none')
# The papers align, too; 'icp_legacy' is what their codes do, see configs/reconstnet/README.md.
test_evaluator = dict(type='ReconstructionMetric', emd='exact', align='icp')
