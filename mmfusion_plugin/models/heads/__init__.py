"""Heads."""

from .point_seg_head import PointSegHead

__all__ = ['PointSegHead']
