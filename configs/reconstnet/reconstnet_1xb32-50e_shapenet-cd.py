# 3D-ReConstNet by the Chamfer distance alone.
_base_ = './reconstnet_1xb32-50e_shapenet.py'

model = dict(head=dict(loss_emd=None))
