"""Pix3D's photographs of chairs, sofas and tables, on which what was trained on ShapeNet is tested.

Is everything there?  python tools/create_data.py pix3d --root-path data/pix3d
"""

# Often changed
data_root = 'data/pix3d/'
categories = ['chair', 'sofa', 'table']
num_points = 1024  # of the true clouds
batch_size = 32
num_workers = 4

# Sometimes
# As 3D-LMNet has it; 3D-ReConstNet's own list of photographs is not published.
drop = ['truncated', 'occluded', 'slightly_occluded']
# For networks that learned from 3D-LMNet's clouds; 'pix3d_to_shapenet': from those of ShapeNetCore's meshes, or of
# generated models.
cloud_frame = 'pix3d_to_lmnet'

# Rarely
dataset_type = 'Pix3DDataset'
test_pipeline = [
    dict(type='LoadObjectImage'),
    dict(type='FitObject'),
    dict(type='LoadCloudTarget'),
    dict(type='PackShapeInputs'),
]
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        categories=categories,
        drop=drop,
        num_points=num_points,
        cloud_frame=cloud_frame,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

# Pix3D's own comparison takes clouds of 1024 points in the unit cube; aligned as on ShapeNet.
test_evaluator = dict(type='ReconstructionMetric', emd='exact', scale='unit_cube', align='icp', points=1024)
