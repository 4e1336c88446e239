# SAFNet without channel attention (Table III: 2D unprojected loss).
_base_ = '../../../configs/safnet/safnet_1xb32-150e_scannet-3views.py'

model = dict(
    fusion=dict(attention=None),
)
