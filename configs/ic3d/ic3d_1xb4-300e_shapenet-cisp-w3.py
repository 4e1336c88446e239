# Tests IC3D with twice the guidance. The checkpoint is that of -cisp.
_base_ = './ic3d_1xb4-300e_shapenet-cisp.py'

# Often changed
guidance = 3.0

# Rarely
model = dict(sampling=dict(guidance=guidance))
