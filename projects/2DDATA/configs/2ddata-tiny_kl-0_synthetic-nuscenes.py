# Open question 3: the branch against the encoder. No distillation from the branch (2ddata-tiny has 0.05).
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

kl_weight = 0.0

model = dict(object_branch=dict(kl_weight=kl_weight))
