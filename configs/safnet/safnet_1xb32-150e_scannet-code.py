# The model of SAFNet's published code where it differs from the paper's and is known (projects/SAFNet/README.md), with
# the paper's schedule. In the code the unprojected loss is a mean over all points, here over those with a pixel nearby.
_base_ = './safnet_1xb32-150e_scannet-3views.py'

model = dict(
    geometric=dict(positive=False),
    contextual=dict(mode='code', statistics='published'),
    decode_head=dict(narrow=128, channels=[128, 128, 128], dropout_after='each'),
    image_weight=0.1,
    auxiliary_weight=0.8,
    unprojected_weight=0.2,
)
