"""SAFNet on ScanNet (arXiv 2107.01579). Where paper and published code differ: projects/SAFNet/README.md."""

_base_ = './mvpnet.py'

model = dict(
    type='SAFNet',
    geometric=dict(type='GeometricSimilarity'),
    contextual=dict(type='ContextualSimilarity', mode='paper', channels=64, orientation_channels=128, radius=0.1),
    fusion=dict(type='SimilarityFusion', gate='softmax', attention='squeeze'),
    num_neighbours=64,  # K (IV-B-3)
    decode_head=dict(channels=[192, 192, 192], dropout_after='last'),  # IV-B-4
    auxiliary_head=dict(type='PointMLPHead', channels=[128, 128], loss_ce=dict(class_weight=_base_.class_weight)),
    # The paper says that the CNN is fixed, and gives its two losses weight; a fixed one could not learn from them.
    freeze_image=False,
    image_weight=0.2,  # lambda 1 to 3 below equation 11
    auxiliary_weight=0.8,
    unprojected_weight=0.8,
    unprojected_radius=0.1,  # r' in metres; neither paper nor code gives it
    loss_image=dict(class_weight=_base_.class_weight),  # the published code has the points' weights for pixels, too
)
