# Open question 3: the branch against the encoder. It teaches when it has learnt something itself: from nothing up to
# ten times 2DPASS's weight. Both weight and schedule differ from 2ddata-tiny; kl-0.5 has the weight alone.
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

kl_weight = 0.5
ramp = (0, 128)  # iterations; the demo world gives 256 in 16 epochs

model = dict(
    object_branch=dict(kl_weight=kl_weight, kl_schedule=dict(type='linear', begin=ramp[0], end=ramp[1]))
)
