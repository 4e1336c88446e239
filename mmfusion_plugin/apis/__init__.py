"""Whole jobs in one call: segment a frame, run the demo."""

from .keyframe import Keyframe, load_keyframe
from .lidar_seg_inferencer import LidarSegInferencer, Segmentation

__all__ = ['Keyframe', 'LidarSegInferencer', 'Segmentation', 'load_keyframe']
