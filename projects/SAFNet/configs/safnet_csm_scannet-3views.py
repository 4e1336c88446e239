# Geometric and contextual similarity (Table III: CSM).
_base_ = '../../../configs/safnet/safnet_1xb32-150e_scannet-3views.py'

model = dict(
    fusion=dict(attention=None),
    auxiliary_head=None,
    freeze_image=True,
    image_weight=0,
    unprojected_weight=0,
)
