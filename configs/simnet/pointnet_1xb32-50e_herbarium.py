# PointNet by itself: points alone, without the image they were made of.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

model = dict(image_backbone=None)
