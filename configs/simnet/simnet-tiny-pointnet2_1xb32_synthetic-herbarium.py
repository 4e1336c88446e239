# The narrow SIM-Net with PointNet++ in the place of PointNet.
_base_ = './simnet-tiny_1xb32_synthetic-herbarium.py'

model = dict(
    point_backbone=dict(
        _delete_=True,
        type='PointNet2Cls',
        sa_channels=[[16, 16, 32], [32, 32, 64]],
        num_centroids=[128, 32],
        radii=[0.2, 0.4],
        max_neighbours=[16, 16],
        global_channels=[64, 128],
    )
)
