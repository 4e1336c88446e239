# 2DPASS's LiDAR network alone, on real nuScenes with the published schedule: 4 GPUs x 8 sweeps, 80 epochs, SGD 0.24.
_base_ = [
    '../_base_/models/point_voxel_segmentor.py',
    '../_base_/datasets/nuscenes_lidarseg.py',
    '../_base_/schedules/sgd_cosine_80e.py',
    '../_base_/default_runtime.py',
]
