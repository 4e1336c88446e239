# 3D-ReConstNet on ShapeNet, 1024 points, one network for all 13 categories: the Chamfer distance and the EMD, 1 to 1.
# The released code trains a network per category: one line, `categories`, as in the configs -airplane and -chair.
_base_ = [
    '../_base_/models/re_const_net.py',
    '../_base_/datasets/shapenet_r2n2.py',
    '../_base_/schedules/adam_halved_50e.py',
    '../_base_/shape_runtime.py',
]
