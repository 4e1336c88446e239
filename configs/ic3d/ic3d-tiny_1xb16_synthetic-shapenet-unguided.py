# The narrow IC3D without any condition: shapes of the five categories, whatever the image. None is loaded.
_base_ = './ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'

# Rarely
model = dict(image_encoder=None, denoiser=dict(embed_dim=None))
train_pipeline = [dict(type='LoadVoxelTarget'), dict(type='PackShapeInputs')]
test_pipeline = train_pipeline
inputs = []  # no rendering needs to be there
train_dataloader = dict(dataset=dict(inputs=inputs, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(inputs=inputs, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(inputs=inputs, pipeline=test_pipeline))
