# A baseline in the manner of PSGN's fully connected network: 3D-ReConstNet without its Gaussian, all else the same.
_base_ = './reconstnet_1xb32-50e_shapenet.py'

model = dict(head=dict(latent='none'))
