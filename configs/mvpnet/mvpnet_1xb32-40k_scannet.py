# MVPNet with its published schedule. Its image network is trained first:
#   python tools/train.py configs/unet_resnet34/unet-resnet34_1xb32-80k_scannet.py
_base_ = [
    '../_base_/models/mvpnet.py',
    '../_base_/datasets/scannet_rgbd.py',
    '../_base_/schedules/adam_40k.py',
    '../_base_/iteration_runtime.py',
]

# Often changed
load_from = 'work_dirs/unet-resnet34_1xb32-80k_scannet/iter_80000.pth'
test_views = 5  # MVPNet: 3 in training, 5 in testing

# Rarely
steps = dict(
    FindNeighbours=dict(pixels=3, points=0, octant_radius=None),
    LoadViews=dict(labels=None),  # a frozen image network learns from no label
)
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_steps = dict(SelectViews=dict(num_views=test_views))
test_pipeline = [dict(step, **test_steps.get(step['type'], {})) for step in _base_.test_pipeline]
tta_pipeline = [
    test_pipeline[0],
    dict(type='TestTimeAug', transforms=[_base_.votes, *[[step] for step in test_pipeline[1:]]]),
]
train_dataloader = dict(
    sampler=dict(type='InfiniteSampler', shuffle=True), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
