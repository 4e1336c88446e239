# SIM-Net with cross-attention (Tables 7 to 9; its structure is ours): the points look at the image's cells.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

model = dict(fusion='point-to-image')
