# SIM-Net with cross-attention (Tables 7 to 9; its structure is ours): the image's cells look at the points.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

model = dict(fusion='image-to-point')
