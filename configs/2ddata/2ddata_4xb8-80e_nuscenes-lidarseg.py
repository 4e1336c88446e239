# 2DDATA on real nuScenes. The paper names no schedule: 2DPASS's, 4 GPUs x 8 samples, 80 epochs, SGD 0.24.
_base_ = [
    '../_base_/models/two_d_data.py',
    '../_base_/datasets/nuscenes_lidarseg_camera.py',
    '../_base_/schedules/sgd_cosine_80e.py',
    '../_base_/default_runtime.py',
]

# Often changed
num_views = 1  # cameras drawn at random for each training sample, 1..6 (2DPASS: 1)
ann_file = 'nuscenes_infos_train.json'  # or one whose 2D boxes a detector has drawn

# Rarely
steps = dict(LoadCameraImages=dict(num_views=num_views))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
train_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=train_pipeline))
