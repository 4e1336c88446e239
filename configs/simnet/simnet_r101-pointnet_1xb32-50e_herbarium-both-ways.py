# SIM-Net with cross-attention (Tables 7 to 9; its structure is ours): cells and points look at each other.
_base_ = './simnet_r101-pointnet_1xb32-50e_herbarium.py'

model = dict(fusion='both')
