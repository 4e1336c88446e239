"""Metrics, and the writers and checkers of leaderboard submissions."""

from .lidar_seg_metric import LidarSegMetric
from .mask_metric import MaskMetric
from .noise_error_metric import NoiseErrorMetric
from .nuscenes_submission import NuScenesSubmissionWriter
from .reconstruction_metric import ReconstructionMetric
from .retrieval_metric import RetrievalMetric
from .scannet_seg_metric import ScanNetSegMetric
from .scannet_submission import ScanNetSubmissionWriter
from .shape_generation_metric import ShapeGenerationMetric
from .view_seg_metric import ViewSegMetric

__all__ = [
    'LidarSegMetric',
    'MaskMetric',
    'NoiseErrorMetric',
    'NuScenesSubmissionWriter',
    'ReconstructionMetric',
    'RetrievalMetric',
    'ScanNetSegMetric',
    'ScanNetSubmissionWriter',
    'ShapeGenerationMetric',
    'ViewSegMetric',
]
