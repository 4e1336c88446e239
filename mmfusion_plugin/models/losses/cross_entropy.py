"""Cross entropy that is zero, not NaN, where every label is ignored."""

from __future__ import annotations

from typing import Optional, Sequence

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class PointCrossEntropyLoss(nn.Module):
    """Mean cross entropy over the points whose label counts.

    Args:
        ignore_index: Label that counts nowhere.
        class_weight: Weight per class; the mean is then weighted too (as ``torch.nn.CrossEntropyLoss``).
        loss_weight: Factor.
    """

    def __init__(
        self, ignore_index: int = 16, class_weight: Optional[Sequence[float]] = None, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.ignore_index, self.loss_weight = ignore_index, loss_weight
        weight = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        self.register_buffer('class_weight', weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (N, C) logits and (N,) int64 labels, float32 or better; 0 (with a graph) if none counts."""
        wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        kept = labels != self.ignore_index
        weight = None if self.class_weight is None else self.class_weight.to(wide.dtype)
        total = F.cross_entropy(wide, labels, weight, ignore_index=self.ignore_index, reduction='sum')
        shares = kept.to(wide.dtype) if weight is None else weight[labels.masked_fill(~kept, 0)] * kept
        return self.loss_weight * total / shares.sum().clamp(min=torch.finfo(wide.dtype).tiny)
