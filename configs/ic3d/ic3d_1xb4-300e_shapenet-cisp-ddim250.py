# Tests IC3D with 250 steps of DDIM (ours) in place of all 1000 of DDPM. The checkpoint is that of -cisp.
_base_ = './ic3d_1xb4-300e_shapenet-cisp.py'

# Often changed
steps = 250

# Rarely
model = dict(sampling=dict(sampler='ddim', steps=steps))
