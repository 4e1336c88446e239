# PointNet by itself on 6-D points: x, y, z and the colour of the pixel.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium-6d.py'

model = dict(image_backbone=None)
