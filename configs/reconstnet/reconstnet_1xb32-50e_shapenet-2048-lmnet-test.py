# Tests the 2048 points as 3D-LMNet's code does: both clouds in unit cubes, 1024 random points of the predicted ones
# beside true clouds of 1024, and ICP that is undone wrongly. 3D-ReConstNet's own evaluation scales nothing.
_base_ = './reconstnet_1xb32-50e_shapenet-2048.py'

test_dataloader = dict(dataset=dict(num_points=1024))
test_evaluator = dict(scale='unit_cube', points=1024, align='icp_legacy')
