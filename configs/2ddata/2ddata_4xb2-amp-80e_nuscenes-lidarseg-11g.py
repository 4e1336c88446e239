# 2DDATA for GPUs with 11 GB: 4 GPUs x 2 samples in mixed precision, an update every 4 steps, so 32 samples an update as
# in the published schedule. Memory was not measured on such a GPU.
_base_ = [
    '../_base_/models/two_d_data.py',
    '../_base_/datasets/nuscenes_lidarseg_camera.py',
    '../_base_/schedules/sgd_cosine_80e.py',
    '../_base_/default_runtime.py',
]

# Often changed
batch_size = 2
accumulative_counts = 4  # batch_size x GPUs x accumulative_counts = 32
num_views = 1  # cameras drawn at random for each training sample, 1..6; each costs memory

# Sometimes
hidden = 256  # if memory still runs out: 128, the width of 2DPASS's smaller published model

# Rarely
model = dict(backbone=dict(hidden=hidden))
steps = dict(LoadCameraImages=dict(num_views=num_views))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', accumulative_counts=accumulative_counts)
