# The narrow baseline in the manner of PSGN: the same network without its Gaussian.
_base_ = './reconstnet-tiny_1xb16_synthetic-shapenet.py'

model = dict(head=dict(latent='none'))
