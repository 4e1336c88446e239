"""Encoders."""

from .cisp_encoders import CISPImageEncoder, CISPShapeEncoder
from .point_net import CloudFeatures, PointNet
from .point_net2_cls import PointNet2Cls
from .pointnet2_ssg import PointNet2SSG
from .resnet_fcn import ResNetFCN
from .spv_encoder import SPVEncoder, SPVFeatures, SPVLevel
from .unet import UNet
from .unet_resnet34 import UNetResNet34
from .voxel_cnn import VoxelCNN
from .voxel_vit import VoxelViT

__all__ = [
    'CISPImageEncoder',
    'CISPShapeEncoder',
    'CloudFeatures',
    'PointNet',
    'PointNet2Cls',
    'PointNet2SSG',
    'ResNetFCN',
    'SPVEncoder',
    'SPVFeatures',
    'SPVLevel',
    'UNet',
    'UNetResNet34',
    'VoxelCNN',
    'VoxelViT',
]
