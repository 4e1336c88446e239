# CISP in batches of 128: each image is told from 127 wrong shapes, at the same learning rate.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Often changed
batch_size = 128

# Rarely
train_dataloader = dict(batch_size=batch_size)
