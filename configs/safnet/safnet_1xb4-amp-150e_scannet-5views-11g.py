# SAFNet with 5 views for a GPU with 11 GB: 4 chunks in mixed precision, an update every 8 steps, so 32 an update.
# Memory was not measured on such a GPU.
_base_ = './safnet_1xb32-150e_scannet-5views.py'

# Often changed
batch_size = 4
accumulative_counts = 8  # batch_size x GPUs x accumulative_counts = 32

# Rarely
train_dataloader = dict(batch_size=batch_size)
model = dict(test_cfg=dict(chunks_per_batch=2, images_per_batch=8))
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', accumulative_counts=accumulative_counts)
