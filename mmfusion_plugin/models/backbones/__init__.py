"""Encoders."""

from .pointnet2_ssg import PointNet2SSG
from .resnet_fcn import ResNetFCN
from .spv_encoder import SPVEncoder, SPVFeatures, SPVLevel
from .unet_resnet34 import UNetResNet34

__all__ = ['PointNet2SSG', 'ResNetFCN', 'SPVEncoder', 'SPVFeatures', 'SPVLevel', 'UNetResNet34']
