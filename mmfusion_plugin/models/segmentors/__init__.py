"""Segmentors and their test-time voting."""

from .point_vote_tta import PointVoteTTAModel
from .point_voxel import PointVoxelSegmentor

__all__ = ['PointVoteTTAModel', 'PointVoxelSegmentor']
