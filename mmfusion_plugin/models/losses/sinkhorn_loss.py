"""Earth mover's distance as a loss, by Sinkhorn's algorithm."""

from __future__ import annotations

from typing import List, Optional, Sequence

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.ops.emd import sinkhorn_divergence

from .cloud_mean import mean_over_clouds

CUBE_DIAGONAL = 2 * 3**0.5
"""Of [-1, 1]^3, in which clouds that come out of a tanh lie."""


@MODELS.register_module()
class SinkhornLoss(nn.Module):
    """Debiased Sinkhorn divergence between uniform clouds, see :func:`~mmfusion_plugin.ops.emd.sinkhorn_divergence`.

    The defaults are those of ``geomloss.SamplesLoss()``, which 3D-ReConstNet calls its EMD (``loss.py``): with ``p=2``
    half a squared Wasserstein distance. They differ in ``diameter``: geomloss takes the diagonal of the box around the
    whole batch, so that a sample's loss depends, in its third digit or so, on the others.

    Args:
        p: 1 or 2: the cost is |x - y|^p / p.
        blur: In the unit of the points: how finely mass is told apart.
        scaling: Ratio of one blur to the last on the way down, in (0, 1).
        diameter: First blur, at least the extent of the clouds; None is geomloss's rule.
        loss_weight: Factor.
    """

    def __init__(
        self,
        p: int = 2,
        blur: float = 0.05,
        scaling: float = 0.5,
        diameter: Optional[float] = CUBE_DIAGONAL,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.options = dict(p=p, blur=blur, scaling=scaling, diameter=diameter)
        self.loss_weight = loss_weight

    def forward(self, prediction: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """Scalar, float32 or better, in the unit of the points to the p; 0 (with a graph) without any true point.

        Args:
            prediction: (B, N, 3) floating.
            targets: B clouds (M_i, 3); samples whose cloud is empty do not count.

        Raises:
            ValueError: There are not as many targets as predictions, a target holds NaN or infinite coordinates, or an
                argument of the loss is out of range.
        """
        return self.loss_weight * mean_over_clouds(self._distance, prediction, targets)

    def _distance(self, prediction: Tensor, targets: List[Tensor]) -> Tensor:
        return sinkhorn_divergence(prediction, targets, **self.options)
