"""Herbarium sheets and good masks of their plants, without traits: what a U-Net learns from."""

_base_ = './herbarium.py'

# Rarely
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'PixelToPoint']
test_pipeline = [step for step in _base_.test_pipeline if step['type'] != 'PixelToPoint']
masks = dict(trait=None, mask_root='masks_selected')
train_dataloader = dict(dataset=dict(masks, few_shot=None, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(masks, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(masks, pipeline=test_pipeline))

val_evaluator = [dict(type='MaskMetric', threshold=0.5)]
test_evaluator = val_evaluator
