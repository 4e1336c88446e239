"""MVPNet on ScanNet (arXiv 1909.13603): features of the three nearest pixels enter PointNet++; images are frozen."""

_base_ = './pointnet2_ssg.py'

model = dict(
    type='MVPNet',
    image_backbone=dict(type='UNetResNet34', dropout=0.5),
    aggregation=dict(type='NearestPixelAggregation', channels=[64, 64, 64], num_neighbours=3),
    freeze_image=True,
)
