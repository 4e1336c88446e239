"""Segmentors and their test-time voting."""

from .point_vote_tta import PointVoteTTAModel
from .point_voxel import PointVoxelSegmentor
from .two_d_data import TwoDDATA
from .two_d_pass import TwoDPASS

__all__ = ['PointVoteTTAModel', 'PointVoxelSegmentor', 'TwoDDATA', 'TwoDPASS']
