"""2DDATA on nuScenes (arXiv 2309.11755): 2DPASS with a branch for the points in 2D boxes, in training only.

What the paper leaves open, and why these values: projects/2DDATA/README.md.
"""

_base_ = './two_d_pass.py'

model = dict(
    type='TwoDDATA',
    object_branch=dict(
        type='LocalObjectBranch',
        hidden=128,
        embedding='interest',
        point_class='soft',
        overlap='max',
        activation='raw',
        min_visibility=0,
        seg_weight=1.0,
        point_weight=1.0,
        kl_weight=0.05,
        kl_schedule=dict(type='constant'),
    ),
)
