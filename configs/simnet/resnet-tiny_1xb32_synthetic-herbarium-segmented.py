# The narrow ResNet-18 by itself on segmented images: what the mask does without points.
_base_ = './resnet-tiny_1xb32_synthetic-herbarium.py'

# Rarely
steps = dict(PackImageInputs=dict(image_source='segmented'))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
