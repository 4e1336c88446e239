# SIM-Net whose image shows the plant on black, as its points do (SSIPD).
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

# Rarely
steps = dict(PackImageInputs=dict(image_source='segmented'))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
