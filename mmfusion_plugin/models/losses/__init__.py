"""Losses that stay finite on any batch."""

from .cross_entropy import PointCrossEntropyLoss
from .kl_distillation import KLDistillationLoss
from .lovasz_softmax import LovaszSoftmaxLoss, lovasz_softmax
from .mask_loss import MaskLoss
from .point_segmentation import PointSegmentationLoss
from .weight_schedule import WeightSchedule

__all__ = [
    'KLDistillationLoss',
    'LovaszSoftmaxLoss',
    'MaskLoss',
    'PointCrossEntropyLoss',
    'PointSegmentationLoss',
    'WeightSchedule',
    'lovasz_softmax',
]
