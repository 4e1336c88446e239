"""Classifiers of images and clouds."""

from .sim_net import SIMNet

__all__ = ['SIMNet']
