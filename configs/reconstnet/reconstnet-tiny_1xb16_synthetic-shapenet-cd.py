# The narrow 3D-ReConstNet by the Chamfer distance alone.
_base_ = './reconstnet-tiny_1xb16_synthetic-shapenet.py'

model = dict(head=dict(loss_emd=None))
