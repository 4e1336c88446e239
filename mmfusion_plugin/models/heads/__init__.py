"""Heads."""

from .point_mlp_head import PointMLPHead
from .point_seg_head import PointSegHead

__all__ = ['PointMLPHead', 'PointSegHead']
