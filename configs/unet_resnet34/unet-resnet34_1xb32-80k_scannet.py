# The image network of MVPNet and SAFNet with MVPNet's published schedule: 80,000 iterations of 32 frames, SGD 0.005.
# Classes weigh as among the points, as in SAFNet's published code; MVPNet has weights of their shares among pixels.
_base_ = [
    '../_base_/models/unet_resnet34.py',
    '../_base_/datasets/scannet_views.py',
    '../_base_/schedules/sgd_80k.py',
    '../_base_/iteration_runtime.py',
]
