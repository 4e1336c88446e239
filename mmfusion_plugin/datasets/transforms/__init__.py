"""Transforms of sweeps, images and their match, registered in MMDetection3D's ``TRANSFORMS``."""

from .boxes import LoadBoxes2D
from .images import JitterImageColours, RandomFlipImages, ResizeImages
from .loading import LoadCameraImages, LoadLidarSeg, LoadLidarSweep
from .matching import MatchPointsToPixels
from .packing import PackFusionInputs
from .points import DropPoints, PointsInVolume, RandomSweepTransform, VoteRotTrans

__all__ = [
    'DropPoints',
    'JitterImageColours',
    'LoadBoxes2D',
    'LoadCameraImages',
    'LoadLidarSeg',
    'LoadLidarSweep',
    'MatchPointsToPixels',
    'PackFusionInputs',
    'PointsInVolume',
    'RandomFlipImages',
    'RandomSweepTransform',
    'ResizeImages',
    'VoteRotTrans',
]
