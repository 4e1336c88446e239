# Tests IC3D without guidance: the conditional model alone. The checkpoint is that of -cisp.
_base_ = './ic3d_1xb4-300e_shapenet-cisp.py'

# Often changed
guidance = 0.0

# Rarely
model = dict(sampling=dict(guidance=guidance))
