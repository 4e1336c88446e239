# Tests as the released code of 3D-ReConstNet does: a cloud is a draw from the Gaussian, and ICP is undone wrongly. For
# comparison with the paper's numbers alone. The code also leaves out the last, smaller batch; here all are tested.
_base_ = './reconstnet_1xb32-50e_shapenet.py'

model = dict(head=dict(test_mode='sample'))
test_evaluator = dict(align='icp_legacy')
