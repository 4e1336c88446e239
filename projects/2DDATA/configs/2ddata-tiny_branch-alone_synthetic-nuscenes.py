# The branch in place of 2DPASS's fusion, as the paper's text has it, instead of beside it.
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

fusion = None

model = dict(fusion=fusion)
