"""Herbarium sheets with masks of their plants, one binary trait at a time.

Files: python tools/make_synthetic.py herbarium --out data/herbarium --sheets 1000 --seed 0
Real sheets need the same: a table with file, split and a column for each trait, beside folders of images and masks.
"""

_base_ = './masked_images.py'

# Often changed
data_root = 'data/herbarium/'
trait = 'thorns'  # a column of the table; generated sheets also have 'lobed' and 'fruit'
mask_root = 'masks_selected'  # the paper's Selected: good masks; 'masks_complete': its Complete, of mixed quality
few_shot = None  # sheets of each class to train on, 10, 30 or 100; None: all

# Sometimes
image_size = (224, 224)  # width and height of whole sheets, whatever their shape

# Rarely
dataset_type = 'MaskedImageDataset'
resize = dict(type='Resize', scale=image_size, interpolation='area')
train_steps = dict(TransformImageAndMask=dict(transforms=[resize, dict(type='RandomFlip', prob=0.5)]))
test_steps = dict(TransformImageAndMask=dict(transforms=[resize]))
train_pipeline = [dict(step, **train_steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **test_steps.get(step['type'], {})) for step in _base_.test_pipeline]
sheets = dict(type=dataset_type, data_root=data_root, ann_file='herbarium.csv', trait=trait, mask_root=mask_root)
train_dataloader = dict(dataset=dict(sheets, split='train', few_shot=few_shot, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(sheets, split='val', pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(sheets, split='test', pipeline=test_pipeline))
