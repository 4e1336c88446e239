# Both similarities, and losses on pixels and on points alone (Table III: auxiliary supervision).
_base_ = '../../../configs/safnet/safnet-tiny_1xb4_synthetic-scannet.py'

model = dict(
    fusion=dict(attention=None),
    unprojected_weight=0,
)
