"""Heads."""

from .point_mlp_head import PointMLPHead
from .point_seg_head import PointSegHead
from .re_const_net_head import ReConstNetHead

__all__ = ['PointMLPHead', 'PointSegHead', 'ReConstNetHead']
