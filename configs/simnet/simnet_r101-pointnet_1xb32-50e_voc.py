# SIM-Net on PASCAL VOC 2012, where the paper finds it worse than a pretrained ResNet (Table 14). How the paper gives
# images of many objects one label is not known. Ours: images whose segmentation shows a single class.
_base_ = [
    '../_base_/models/sim_net.py',
    '../_base_/datasets/masked_images.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/image_runtime.py',
]

# Often changed
data_root = 'data/VOCdevkit/VOC2012/'
per = 'image'  # or 'object': each object is cut out and is a sample

# Rarely
dataset_type = 'MaskedVOC'
num_classes = 20
model = dict(head=dict(num_classes=num_classes))
images = dict(type=dataset_type, data_root=data_root, per=per)
crop = [dict(type='CropToMask')] if per == 'object' else []
train_pipeline = [_base_.train_pipeline[0], *crop, *_base_.train_pipeline[1:]]
test_pipeline = [_base_.test_pipeline[0], *crop, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(images, split='train', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(images, split='val', pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(images, split='val', pipeline=test_pipeline))
# No split is for validation: each epoch is scored on what is tested on, so that none may be chosen by its score.
default_hooks = dict(checkpoint=dict(save_best=None))
