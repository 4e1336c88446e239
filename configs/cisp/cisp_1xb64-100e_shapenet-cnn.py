# CISP with a convolutional shape encoder, the paper's comparison; the network is ours, since the paper prints none.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Rarely
shape_backbone = dict(_delete_=True, type='VoxelCNN', channels=[64, 128, 256, 512])
model = dict(shape_encoder=dict(backbone=shape_backbone))
