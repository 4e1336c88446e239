# The narrow 3D-ReConstNet with the diversity loss, here on every category.
_base_ = './reconstnet-tiny_1xb16_synthetic-shapenet.py'

# Often changed
diversity_weight = 10.0

# Rarely
model = dict(head=dict(loss_diversity=dict(type='DiversityLoss', loss_weight=diversity_weight)))
