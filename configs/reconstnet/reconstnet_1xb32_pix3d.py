# Tests a network of 1024 points, trained by reconstnet_1xb32-50e_shapenet.py, on photographs; nothing is trained here.
# For one of 2048 points: `--cfg-options model.head.num_points=2048`.
_base_ = [
    '../_base_/models/re_const_net.py',
    '../_base_/datasets/pix3d.py',
    '../_base_/shape_runtime.py',
]

test_cfg = dict(type='TestLoop')
