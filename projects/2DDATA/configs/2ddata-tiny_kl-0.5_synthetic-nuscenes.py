# Open question 3: the branch against the encoder. Ten times 2DPASS's weight of the distillation.
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

kl_weight = 0.5

model = dict(object_branch=dict(kl_weight=kl_weight))
