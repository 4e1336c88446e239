"""Cross entropy and Lovasz-softmax together, as every head of 2DPASS is trained."""

from __future__ import annotations

from typing import Any, Dict, Optional

from mmdet3d.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class PointSegmentationLoss(nn.Module):
    """Sum of ``PointCrossEntropyLoss`` and ``LovaszSoftmaxLoss`` (2DPASS: 1 and 1 on nuScenes).

    Args:
        ignore_index: Label that counts nowhere.
        loss_ce: Further arguments of the cross entropy.
        loss_lovasz: Further arguments of Lovasz-softmax.
    """

    def __init__(
        self,
        ignore_index: int = 16,
        loss_ce: Optional[Dict[str, Any]] = None,
        loss_lovasz: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__()
        common = dict(ignore_index=ignore_index)
        self.loss_ce = MODELS.build({'type': 'PointCrossEntropyLoss', **common, **(loss_ce or {})})
        self.loss_lovasz = MODELS.build({'type': 'LovaszSoftmaxLoss', **common, **(loss_lovasz or {})})

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (N, C) logits and (N,) int64 labels; 0 (with a graph) if no label counts."""
        return self.loss_ce(logits, labels) + self.loss_lovasz(logits, labels)
