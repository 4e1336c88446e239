# The narrow CISP in batches of 16, and as many of them: it also sees a fourth of the pairs.
_base_ = './cisp-tiny_1xb64_synthetic-shapenet.py'

# Often changed
batch_size = 16

# Rarely
train_dataloader = dict(batch_size=batch_size, sampler=dict(batch_size=batch_size))
