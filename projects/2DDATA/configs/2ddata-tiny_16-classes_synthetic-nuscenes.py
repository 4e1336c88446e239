# Boxes of all 16 classes instead of the paper's six of interest; adult and child share one embedding.
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

embedding = 'classes'

model = dict(object_branch=dict(embedding=embedding))
