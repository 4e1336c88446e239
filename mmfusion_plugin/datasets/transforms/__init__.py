"""Transforms of sweeps, scans, images, masks, shapes, embeddings; registered in MMDetection3D's ``TRANSFORMS``."""

from .boxes import LoadBoxes2D
from .category_labels import LabelCategory
from .damage_views import DamageViews
from .depth_maps import LoadDepthMap
from .embeddings import LoadEmbedding
from .images import JitterImageColours, RandomCropImages, RandomFlipImages, ResizeImages
from .loading import LoadCameraImages, LoadLidarSeg, LoadLidarSweep
from .mask_crop import CropToMask
from .masks import LoadImageAndMask
from .matching import MatchPointsToPixels
from .moving_masks import TransformImageAndMask
from .object_fitting import FitObject, LoadObjectImage
from .packing import PackFusionInputs
from .packing_images import PackImageInputs
from .packing_shapes import PackShapeInputs
from .pixel_to_point import PixelToPoint
from .points import DropPoints, PointsInVolume, RandomSweepTransform, VoteRotTrans
from .renderings import LoadRendering, LoadViewpoint
from .scan_chunks import CutIntoChunks, RandomChunk, SamplePoints
from .scan_loading import LoadScan
from .scan_neighbours import FindNeighbours
from .scan_views import LoadViews, SelectViews, UnprojectViews
from .shape_targets import LoadCloudTarget, LoadVoxelTarget

__all__ = [
    'CropToMask',
    'CutIntoChunks',
    'DamageViews',
    'DropPoints',
    'FindNeighbours',
    'FitObject',
    'JitterImageColours',
    'LabelCategory',
    'LoadBoxes2D',
    'LoadCameraImages',
    'LoadCloudTarget',
    'LoadDepthMap',
    'LoadEmbedding',
    'LoadImageAndMask',
    'LoadLidarSeg',
    'LoadLidarSweep',
    'LoadObjectImage',
    'LoadRendering',
    'LoadScan',
    'LoadViewpoint',
    'LoadViews',
    'LoadVoxelTarget',
    'MatchPointsToPixels',
    'PackFusionInputs',
    'PackImageInputs',
    'PackShapeInputs',
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
