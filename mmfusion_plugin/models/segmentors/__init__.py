"""Segmentors and their test-time voting."""

from .mvpnet import MVPNet
from .point_set import PointSetSegmentor
from .point_vote_tta import PointVoteTTAModel
from .point_voxel import PointVoxelSegmentor
from .safnet import SAFNet
from .two_d_data import TwoDDATA
from .two_d_pass import TwoDPASS
from .unet_segmentor import UNetSegmentor
from .view_segmentor import ViewSegmentor

__all__ = [
    'MVPNet',
    'PointSetSegmentor',
    'PointVoteTTAModel',
    'PointVoxelSegmentor',
    'SAFNet',
    'TwoDDATA',
    'TwoDPASS',
    'UNetSegmentor',
    'ViewSegmentor',
]
