# The image network as SAFNet's paper trains it (IV-B-2): 50,000 iterations of 84 frames, cropped and mirrored.
# The paper gives neither the size of the crops nor when the learning rate falls: both are ours.
_base_ = './unet-resnet34_1xb32-80k_scannet.py'

# Often changed
batch_size = 84

# Sometimes
crop_size = (128, 96)  # width, height of the 160 x 120 images; multiples of 16
milestones = [37500, 43750]  # at the shares of MVPNet's schedule

# Rarely
train_pipeline = [
    dict(type='LoadViews', geometry=False, labels=_base_.labels),
    dict(type='RandomCropImages', size=crop_size),
    dict(type='RandomFlipImages', prob=0.5),
    dict(type='PackFusionInputs'),
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=50000)
param_scheduler = [dict(type='MultiStepLR', milestones=milestones, gamma=0.1, by_epoch=False)]
auto_scale_lr = dict(base_batch_size=84)
