"""Hooks; importing the package registers them in mmdet3d's ``HOOKS``."""

from .nan_guard_hook import NanGuardHook
from .reproducible_hook import ReproducibleHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .segmentation_pictures_hook import SegmentationPicturesHook

__all__ = ['NanGuardHook', 'ReproducibleHook', 'SafeCheckpointHook', 'SegmentationPicturesHook']
