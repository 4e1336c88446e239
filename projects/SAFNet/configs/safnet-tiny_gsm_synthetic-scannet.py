# Baseline and the whole geometric similarity (Table III: GSM).
_base_ = '../../../configs/safnet/safnet-tiny_1xb4_synthetic-scannet.py'

model = dict(
    contextual=None,
    fusion=dict(attention=None),
    auxiliary_head=None,
    freeze_image=True,
    image_weight=0,
    unprojected_weight=0,
)
