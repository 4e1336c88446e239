# 2DPASS on real nuScenes with the published schedule: 4 GPUs x 8 samples, 80 epochs, SGD 0.24.
_base_ = [
    '../_base_/models/two_d_pass.py',
    '../_base_/datasets/nuscenes_lidarseg_camera.py',
    '../_base_/schedules/sgd_cosine_80e.py',
    '../_base_/default_runtime.py',
]

# Often changed
num_views = 1  # cameras drawn at random for each training sample, 1..6 (2DPASS: 1)

# Rarely: no step for 2D boxes, so info files without them will do.
steps = dict(LoadCameraImages=dict(num_views=num_views))
train_pipeline = [
    dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline if step['type'] != 'LoadBoxes2D'
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
