# SIM-Net on Oxford Flowers-102, masks from the segmented images. Not in the paper: public plants that have masks.
_base_ = [
    '../_base_/models/sim_net.py',
    '../_base_/datasets/masked_images.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/image_runtime.py',
]

# Often changed
data_root = 'data/flowers102/'  # holds jpg, segmim, imagelabels.mat and setid.mat

# Rarely
dataset_type = 'MaskedFlowers102'
num_classes = 102
model = dict(head=dict(num_classes=num_classes))
images = dict(type=dataset_type, data_root=data_root)
train_dataloader = dict(dataset=dict(images, split='train'))
val_dataloader = dict(dataset=dict(images, split='val'))
test_dataloader = dict(dataset=dict(images, split='test'))
