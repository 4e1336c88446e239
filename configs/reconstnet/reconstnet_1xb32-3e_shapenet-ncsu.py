# The scaled-down 3D-ReConstNet of Wright-Smith, Guo and Everett (North Carolina State University), as their report has
# it: the Chamfer distance alone, 3 epochs, Adam 5e-5, batches of 32, 1024 points, 100 channels ahead of both moments.
# Not their code where it differs: Adam 1e-3, aeroplanes alone, LeakyReLU of slope 0.5, a "distance" of whole clouds.
_base_ = './reconstnet_1xb32-50e_shapenet-cd.py'

# Often changed
max_epochs = 3

# Rarely
model = dict(head=dict(shared_fc=True))
train_cfg = dict(max_epochs=max_epochs)
