"""CISP's five categories of ShapeNet: 3D-R2N2's renderings and voxels of 32^3, in the split of CISP's `ShapeNet.json`
(train, val, test: 7 to 1 to 2; 20,133, 2,873 and 5,760 models).

Is everything there?  python tools/create_data.py shapenet --root-path data/shapenet --workers 8
Generated models:     python tools/make_synthetic.py shapenet --out data/shapenet --models 100 --seed 0
"""

# Often changed
data_root = 'data/shapenet/'
categories = ['aeroplane', 'car', 'chair', 'table', 'watercraft']
batch_size = 64
num_workers = 4

# Sometimes
num_views = 24  # pictures of each model; fewer where fewer were generated
train_views = 'random'  # one of each model in an epoch, so that no batch has two views of one shape
test_views = [0]  # as the released code tests
image_size = 224  # pixels: the 128 that are cut out of 137 are scaled to this
background = 240  # grey value, as 3D-R2N2 tests and CISP trains

# Rarely
dataset_type = 'ShapeNetR2N2Dataset'
train_pipeline = [
    dict(type='LoadRendering', background=background, size=image_size),
    dict(type='LoadVoxelTarget'),
    dict(type='PackShapeInputs'),
]
test_pipeline = train_pipeline
models = dict(
    type=dataset_type,
    data_root=data_root,
    split='cisp',
    categories=categories,
    num_views=num_views,
    inputs=['image'],
    targets=['voxels'],
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(models, part='train', views=train_views, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(models, part='val', views=test_views, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], part='test'))
