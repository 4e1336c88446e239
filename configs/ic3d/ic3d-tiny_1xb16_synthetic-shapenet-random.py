# The narrow IC3D conditioned on the narrow CISP's image encoder with random weights: what no training gives.
_base_ = './ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'

model = dict(image_encoder=dict(init_cfg=None))
