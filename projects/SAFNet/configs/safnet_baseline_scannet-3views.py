# SAFNet's baseline (Table III): U-Net, PointNet++ on coordinates, joined without weights, one loss.
_base_ = '../../../configs/safnet/safnet_1xb32-150e_scannet-3views.py'

model = dict(
    geometric=None,
    contextual=None,
    fusion=dict(gate='none', attention=None),
    auxiliary_head=None,
    freeze_image=True,
    image_weight=0,
    unprojected_weight=0,
)
