"""Distillation of one prediction into another."""

from __future__ import annotations

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class KLDistillationLoss(nn.Module):
    """Kullback-Leibler divergence of the student's class distribution from the teacher's, which gets no gradient.

    Args:
        reduction: ``'mean'`` divides by the number of points and classes, as 2DPASS's published code does;
            ``'batchmean'`` by the number of points, which is the divergence of the textbook (C times larger).
        loss_weight: Factor.
    """

    def __init__(self, reduction: str = 'mean', loss_weight: float = 1.0) -> None:
        super().__init__()
        if reduction not in ('mean', 'batchmean'):
            raise ValueError(f"reduction must be 'mean' or 'batchmean', got {reduction!r}")
        self.reduction, self.loss_weight = reduction, loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Scalar loss of (N, C) logits each, float32 or better; 0 (with a graph) without points."""
        wide = student if student.dtype == teacher.dtype and student.element_size() > 4 else student.float()
        target = teacher.detach().to(wide.dtype).log_softmax(1)
        total = F.kl_div(wide.log_softmax(1), target, reduction='sum', log_target=True)
        shares = student.numel() if self.reduction == 'mean' else len(student)
        return self.loss_weight * total / max(shares, 1)
