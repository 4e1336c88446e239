"""Models. Importing this package registers all of them."""

from . import backbones, data_preprocessors, fusion, heads, layers, losses, segmentors

__all__ = ['backbones', 'data_preprocessors', 'fusion', 'heads', 'layers', 'losses', 'segmentors']
