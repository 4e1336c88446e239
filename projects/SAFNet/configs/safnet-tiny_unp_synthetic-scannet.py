# SAFNet without channel attention (Table III: 2D unprojected loss).
_base_ = '../../../configs/safnet/safnet-tiny_1xb4_synthetic-scannet.py'

model = dict(
    fusion=dict(attention=None),
)
