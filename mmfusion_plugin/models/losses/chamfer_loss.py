"""Chamfer distance as a loss."""

from __future__ import annotations

from typing import List, Sequence

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.ops.chamfer import chamfer_distance

from .cloud_mean import mean_over_clouds


@MODELS.register_module()
class ChamferLoss(nn.Module):
    """Mean distance of each point to the nearest of the other cloud, both ways added and not halved.

    Args:
        squared: Average squared distances, as 3D-ReConstNet's training does (``loss.py``).
        loss_weight: Factor.
    """

    def __init__(self, squared: bool = True, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.squared, self.loss_weight = squared, loss_weight

    def forward(self, prediction: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """Scalar, float32 or better, in the unit of the points (squared); 0 (with a graph) without any true point.

        Args:
            prediction: (B, N, 3) floating.
            targets: B clouds (M_i, 3); samples whose cloud is empty do not count.

        Raises:
            ValueError: There are not as many targets as predictions, or a target holds NaN or infinite coordinates.
        """
        return self.loss_weight * mean_over_clouds(self._distance, prediction, targets)

    def _distance(self, prediction: Tensor, targets: List[Tensor]) -> Tensor:
        return sum(chamfer_distance(prediction, targets, squared=self.squared))
