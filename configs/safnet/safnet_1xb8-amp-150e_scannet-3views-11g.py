# SAFNet for a GPU with 11 GB: 8 chunks in mixed precision, an update every 4 steps, so 32 chunks an update. Memory was
# not measured on such a GPU.
_base_ = './safnet_1xb32-150e_scannet-3views.py'

# Often changed
batch_size = 8
accumulative_counts = 4  # batch_size x GPUs x accumulative_counts = 32

# Sometimes
num_points = 8192  # if memory still runs out: 4096

# Rarely
steps = dict(SamplePoints=dict(num_points=num_points))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
model = dict(test_cfg=dict(chunks_per_batch=2, images_per_batch=8))
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', accumulative_counts=accumulative_counts)
