"""Encoders."""

from .resnet_fcn import ResNetFCN
from .spv_encoder import SPVEncoder, SPVFeatures, SPVLevel

__all__ = ['ResNetFCN', 'SPVEncoder', 'SPVFeatures', 'SPVLevel']
