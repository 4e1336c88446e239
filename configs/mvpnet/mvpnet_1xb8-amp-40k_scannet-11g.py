# MVPNet for a GPU with 11 GB: 8 chunks in mixed precision, an update every 4 steps, so 32 chunks an update, and four
# times the iterations. Memory was not measured on such a GPU.
_base_ = './mvpnet_1xb32-40k_scannet.py'

# Often changed
batch_size = 8
accumulative_counts = 4  # batch_size x GPUs x accumulative_counts = 32

# Rarely
train_dataloader = dict(batch_size=batch_size)
model = dict(test_cfg=dict(chunks_per_batch=2, images_per_batch=8))
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', accumulative_counts=accumulative_counts)
train_cfg = dict(max_iters=40000 * accumulative_counts)
milestones = [24000 * accumulative_counts, 32000 * accumulative_counts]
param_scheduler = [dict(type='MultiStepLR', milestones=milestones, gamma=0.1, by_epoch=False)]
