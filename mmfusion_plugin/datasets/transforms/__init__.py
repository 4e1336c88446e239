"""Transforms of sweeps, scans, images and their match, registered in MMDetection3D's ``TRANSFORMS``."""

from .boxes import LoadBoxes2D
from .damage_views import DamageViews
from .images import JitterImageColours, RandomCropImages, RandomFlipImages, ResizeImages
from .loading import LoadCameraImages, LoadLidarSeg, LoadLidarSweep
from .matching import MatchPointsToPixels
from .packing import PackFusionInputs
from .points import DropPoints, PointsInVolume, RandomSweepTransform, VoteRotTrans
from .scan_chunks import CutIntoChunks, RandomChunk, SamplePoints
from .scan_loading import LoadScan
from .scan_neighbours import FindNeighbours
from .scan_views import LoadViews, SelectViews, UnprojectViews

__all__ = [
    'CutIntoChunks',
    'DamageViews',
    'DropPoints',
    'FindNeighbours',
    'JitterImageColours',
    'LoadBoxes2D',
    'LoadCameraImages',
    'LoadLidarSeg',
    'LoadLidarSweep',
    'LoadScan',
    'LoadViews',
    'MatchPointsToPixels',
    'PackFusionInputs',
    'PointsInVolume',
    'RandomChunk',
    'RandomCropImages',
    'RandomFlipImages',
    'RandomSweepTransform',
    'ResizeImages',
    'SamplePoints',
    'SelectViews',
    'UnprojectViews',
    'VoteRotTrans',
]
