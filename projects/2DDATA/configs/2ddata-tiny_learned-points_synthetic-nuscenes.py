# The class vector of a point is a linear map of its features instead of a mix by its predicted class.
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

point_class = 'learned'

model = dict(object_branch=dict(point_class=point_class))
