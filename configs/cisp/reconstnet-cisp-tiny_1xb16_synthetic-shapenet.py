# The narrow 3D-ReConstNet on frozen features of the narrow CISP. Train cisp-tiny_1xb64_synthetic-shapenet.py first.
_base_ = '../reconstnet/reconstnet-tiny_1xb16_synthetic-shapenet.py'

# Often changed
encoder_checkpoint = 'work_dirs/cisp-tiny_1xb64_synthetic-shapenet/iter_300.pth'
categories = ['aeroplane', 'car', 'chair', 'table', 'watercraft']

# Rarely
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='mmdet3d.CISPImageEncoder',
        backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=16),
        embed_channels=64,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_checkpoint, prefix='image_encoder.'),
    ),
)
steps = dict(LoadRendering=dict(background=240))
train_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **steps.get(step['type'], {})) for step in _base_.test_pipeline]
models = dict(split='cisp', categories=categories)
train_dataloader = dict(dataset=dict(models, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(models, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(models, part='test', pipeline=test_pipeline))
