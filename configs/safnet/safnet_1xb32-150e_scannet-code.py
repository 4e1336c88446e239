# SAFNet as its published code has it, where that differs from the paper and can be known (projects/SAFNet/README.md).
_base_ = './safnet_1xb32-150e_scannet-3views.py'

model = dict(
    geometric=dict(positive=False),
    contextual=dict(mode='code'),
    decode_head=dict(narrow=128, channels=[128, 128, 128], dropout_after='each'),
    image_weight=0.1,
    auxiliary_weight=0.8,
    unprojected_weight=0.2,
)
