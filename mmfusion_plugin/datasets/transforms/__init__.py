"""Transforms of sweeps, scans, images, masks and their match, registered in MMDetection3D's ``TRANSFORMS``."""

from .boxes import LoadBoxes2D
from .damage_views import DamageViews
from .depth_maps import LoadDepthMap
from .images import JitterImageColours, RandomCropImages, RandomFlipImages, ResizeImages
from .loading import LoadCameraImages, LoadLidarSeg, LoadLidarSweep
from .mask_crop import CropToMask
from .masks import LoadImageAndMask
from .matching import MatchPointsToPixels
from .moving_masks import TransformImageAndMask
from .packing import PackFusionInputs
from .packing_images import PackImageInputs
from .pixel_to_point import PixelToPoint
from .points import DropPoints, PointsInVolume, RandomSweepTransform, VoteRotTrans
from .scan_chunks import CutIntoChunks, RandomChunk, SamplePoints
from .scan_loading import LoadScan
from .scan_neighbours import FindNeighbours
from .scan_views import LoadViews, SelectViews, UnprojectViews

__all__ = [
    'CropToMask',
    'CutIntoChunks',
    'DamageViews',
    'DropPoints',
    'FindNeighbours',
    'JitterImageColours',
    'LoadBoxes2D',
    'LoadCameraImages',
    'LoadDepthMap',
    'LoadImageAndMask',
    'LoadLidarSeg',
    'LoadLidarSweep',
    'LoadScan',
    'LoadViews',
    'MatchPointsToPixels',
    'PackFusionInputs',
    'PackImageInputs',
    'PixelToPoint',
    'PointsInVolume',
    'RandomChunk',
    'RandomCropImages',
    'RandomFlipImages',
    'RandomSweepTransform',
    'ResizeImages',
    'SamplePoints',
    'SelectViews',
    'TransformImageAndMask',
    'UnprojectViews',
    'VoteRotTrans',
]
