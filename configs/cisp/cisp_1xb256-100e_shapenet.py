# CISP in batches of 256: each image is told from 255 wrong shapes, at the same learning rate.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Often changed
batch_size = 256

# Rarely
train_dataloader = dict(batch_size=batch_size)
