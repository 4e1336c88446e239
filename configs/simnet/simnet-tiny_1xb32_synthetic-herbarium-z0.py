# The narrow SIM-Net on flat clouds: z = 0 in the place of the mean of red, green and blue (Table 11).
_base_ = './simnet-tiny_1xb32_synthetic-herbarium.py'

# Rarely
steps = dict(PixelToPoint=dict(z_mode='zero'))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
