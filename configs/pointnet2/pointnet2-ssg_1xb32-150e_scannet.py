# PointNet++ on the coordinates of ScanNet's points, with SAFNet's schedule: what fusion has to beat.
_base_ = [
    '../_base_/models/pointnet2_ssg.py',
    '../_base_/datasets/scannet_points.py',
    '../_base_/schedules/adam_step_150e.py',
    '../_base_/default_runtime.py',
]
