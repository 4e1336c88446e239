# SIM-Net on Oxford-IIIT Pet: 37 breeds, masks from the trimaps. Not in the paper: public images that have masks.
_base_ = [
    '../_base_/models/sim_net.py',
    '../_base_/datasets/masked_images.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/image_runtime.py',
]

# Often changed
data_root = 'data/oxford_pets/'  # holds images and annotations
border = 'foreground'  # of the trimaps: whiskers and fur; or 'background'

# Rarely
dataset_type = 'MaskedOxfordPets'
num_classes = 37
model = dict(head=dict(num_classes=num_classes))
images = dict(type=dataset_type, data_root=data_root, border=border)
train_dataloader = dict(dataset=dict(images, split='trainval'))
val_dataloader = dict(dataset=dict(images, split='test'))
test_dataloader = dict(dataset=dict(images, split='test'))
# No split is for validation: each epoch is scored on what is tested on, so that none may be chosen by its score.
default_hooks = dict(checkpoint=dict(save_best=None))
