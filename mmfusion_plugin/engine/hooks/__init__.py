"""Hooks; importing the package registers them in mmdet3d's ``HOOKS``."""

from .loader_guard_hook import LoaderGuardHook
from .main_process_logger_hook import MainProcessLoggerHook
from .nan_guard_hook import NanGuardHook
from .reproducible_hook import ReproducibleHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .segmentation_pictures_hook import SegmentationPicturesHook

__all__ = [
    'LoaderGuardHook', 'MainProcessLoggerHook', 'NanGuardHook', 'ReproducibleHook', 'SafeCheckpointHook',
    'SegmentationPicturesHook',
]  # fmt: skip
