"""Losses that stay finite on any batch."""

from .chamfer_loss import ChamferLoss
from .contrastive_loss import ContrastiveLoss
from .cross_entropy import PointCrossEntropyLoss
from .diversity_loss import DiversityLoss
from .kl_distillation import KLDistillationLoss
from .lovasz_softmax import LovaszSoftmaxLoss, lovasz_softmax
from .mask_loss import MaskLoss
from .point_segmentation import PointSegmentationLoss
from .sinkhorn_loss import SinkhornLoss
from .weight_schedule import WeightSchedule

__all__ = [
    'ChamferLoss',
    'ContrastiveLoss',
    'DiversityLoss',
    'KLDistillationLoss',
    'LovaszSoftmaxLoss',
    'MaskLoss',
    'PointCrossEntropyLoss',
    'PointSegmentationLoss',
    'SinkhornLoss',
    'WeightSchedule',
    'lovasz_softmax',
]
