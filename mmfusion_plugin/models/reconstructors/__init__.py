"""Models that make a shape of an image."""

from .re_const_net import ReConstNet

__all__ = ['ReConstNet']
