"""Models. Importing this package registers all of them."""

from . import (
    backbones,
    classifiers,
    data_preprocessors,
    diffusion,
    embedders,
    fusion,
    heads,
    layers,
    losses,
    reconstructors,
    segmentors,
)

__all__ = [
    'backbones',
    'classifiers',
    'data_preprocessors',
    'diffusion',
    'embedders',
    'fusion',
    'heads',
    'layers',
    'losses',
    'reconstructors',
    'segmentors',
]
