# 3D-ReConstNet's third loss, for chairs: spread for views from behind, none for others. 10 is its weight in the
# released code (5.5 in 3D-LMNet), 0.2 the standard deviation at 180 degrees of azimuth, in a bell of 20 degrees.
_base_ = './reconstnet_1xb32-50e_shapenet-2048-chair.py'

# Often changed
diversity_weight = 10.0

# Rarely
diversity = dict(type='DiversityLoss', eta=0.2, delta=20.0, centre=180.0, loss_weight=diversity_weight)
model = dict(head=dict(loss_diversity=diversity))
