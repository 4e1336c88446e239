# Both similarities, and losses on pixels and on points alone (Table III: auxiliary supervision).
_base_ = '../../../configs/safnet/safnet_1xb32-150e_scannet-3views.py'

model = dict(
    fusion=dict(attention=None),
    unprojected_weight=0,
)
