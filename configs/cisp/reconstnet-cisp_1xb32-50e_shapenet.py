# 3D-ReConstNet on frozen features of CISP in place of ResNet-50: the encoder as a backbone elsewhere. CISP's categories
# and split, so that nothing is tested that CISP was trained on. Train cisp_1xb64-100e_shapenet.py first.
_base_ = '../reconstnet/reconstnet_1xb32-50e_shapenet.py'

# Often changed
encoder_checkpoint = 'work_dirs/cisp_1xb64-100e_shapenet/epoch_100.pth'
categories = ['aeroplane', 'car', 'chair', 'table', 'watercraft']

# Rarely
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='mmdet3d.CISPImageEncoder',
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_checkpoint, prefix='image_encoder.'),
    ),
    head=dict(init_cfg=None),
)
steps = dict(LoadRendering=dict(background=240, size=224))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
models = dict(split='cisp', categories=categories)
train_dataloader = dict(dataset=dict(models, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(models, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(models, part='test', pipeline=test_pipeline))
