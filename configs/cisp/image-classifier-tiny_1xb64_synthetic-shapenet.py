# A stand-in for CLIP where its weights are not at hand: the narrow CISP's image network, which learns to name the
# category (CLIP learns captions) and never sees a shape. configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-classifier.py
# is conditioned on it.
_base_ = './cisp-tiny_1xb64_synthetic-shapenet.py'

# Rarely
categories = _base_.categories
model = dict(
    _delete_=True,
    type='SIMNet',
    data_preprocessor=_base_.model.data_preprocessor,
    image_backbone=_base_.model.image_encoder.backbone,
    head=dict(
        type='LinearClsHead',
        num_classes=len(categories),
        loss=dict(type='CrossEntropyLoss'),
    ),
)
train_pipeline = [
    *(step for step in _base_.train_pipeline if step['type'] == 'LoadRendering'),
    dict(type='LabelCategory', categories=categories),
    dict(type='PackImageInputs'),
]
test_pipeline = train_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(_delete_=True, type='mmpretrain.Accuracy')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
