"""Metrics, and the writers and checkers of leaderboard submissions."""

from .lidar_seg_metric import LidarSegMetric
from .nuscenes_submission import NuScenesSubmissionWriter

__all__ = ['LidarSegMetric', 'NuScenesSubmissionWriter']
