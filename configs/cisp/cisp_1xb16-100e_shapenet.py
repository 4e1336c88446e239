# CISP in batches of 16: each image is told from 15 wrong shapes, at the same learning rate.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Often changed
batch_size = 16

# Rarely
train_dataloader = dict(batch_size=batch_size)
