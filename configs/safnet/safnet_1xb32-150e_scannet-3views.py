# SAFNet as in the paper's ablation: 3 views in training and testing. Its image network is trained first:
#   python tools/train.py configs/unet_resnet34/unet-resnet34_1xb32-80k_scannet.py
_base_ = [
    '../_base_/models/safnet.py',
    '../_base_/datasets/scannet_rgbd.py',
    '../_base_/schedules/adam_step_150e.py',
    '../_base_/default_runtime.py',
]

# Often changed
load_from = 'work_dirs/unet-resnet34_1xb32-80k_scannet/iter_80000.pth'
