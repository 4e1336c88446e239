# The narrow PointNet by itself: points alone, without the image they were made of.
_base_ = './simnet-tiny_1xb32_synthetic-herbarium.py'

model = dict(image_backbone=None)
