# The narrow CISP with a convolutional shape encoder.
_base_ = './cisp-tiny_1xb64_synthetic-shapenet.py'

# Rarely
shape_backbone = dict(_delete_=True, type='VoxelCNN', channels=[16, 32, 64])
model = dict(shape_encoder=dict(backbone=shape_backbone))
