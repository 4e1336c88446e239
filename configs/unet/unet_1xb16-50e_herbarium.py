# U-Net that masks herbarium sheets for SIM-Net. Size of the images, batches and schedule are ours.
_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/herbarium_masks.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/image_runtime.py',
]

# Often changed
batch_size = 16

# Sometimes
image_size = (256, 256)  # width and height of whole sheets, whatever their shape

# Rarely
resize = dict(type='Resize', scale=image_size, interpolation='area')
train_steps = dict(TransformImageAndMask=dict(transforms=[resize, dict(type='RandomFlip', prob=0.5)]))
test_steps = dict(TransformImageAndMask=dict(transforms=[resize]))
train_pipeline = [dict(step, **train_steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **test_steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
default_hooks = dict(checkpoint=dict(save_best='iou'))
auto_scale_lr = dict(base_batch_size=16)
