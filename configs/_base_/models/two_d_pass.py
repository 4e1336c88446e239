"""2DPASS on nuScenes (arXiv 2207.04397): the 3D network of point_voxel_segmentor.py, taught by an image in training."""

_base_ = './point_voxel_segmentor.py'

# `predict` runs the 3D network alone.
model = dict(
    type='TwoDPASS',
    image_backbone=dict(type='ResNetFCN', depth=34),  # as wide as the encoder
    fusion=dict(type='GatedFusion', hidden=128, image_skip=False, kl_weight=0.05, seg_weight=1.0),
)
