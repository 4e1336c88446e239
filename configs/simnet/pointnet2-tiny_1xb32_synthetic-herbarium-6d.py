# The narrow PointNet++ by itself on 6-D points: x, y, z and the colour of the pixel.
_base_ = './simnet-tiny-pointnet2_1xb32_synthetic-herbarium-6d.py'

model = dict(image_backbone=None)
