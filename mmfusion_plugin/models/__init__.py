"""Models. Importing this package registers all of them."""

from . import backbones, data_preprocessors, heads, layers, losses, segmentors

__all__ = ['backbones', 'data_preprocessors', 'heads', 'layers', 'losses', 'segmentors']
