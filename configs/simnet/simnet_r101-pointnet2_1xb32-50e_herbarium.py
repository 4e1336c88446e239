# SIM-Net with PointNet++ in the place of PointNet.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

model = dict(point_backbone=dict(type='PointNet2Cls'))
