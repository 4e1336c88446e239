"""How uncertain a shape should be, by where the camera stands."""

from __future__ import annotations

import math

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class DiversityLoss(nn.Module):
    """``mean_b (mean_d sigma_bd - eta exp(-(phi_b - phi_0)^2 / delta^2))^2``: spread for views from behind, none else.

    3D-LMNet's diversity loss (arXiv 1807.07796), whose formula 3D-ReConstNet takes over for chairs
    (``trainG_variety.py``) with a weight of 10 in place of 5.5.

    Args:
        eta: Mean standard deviation wanted at ``centre``.
        delta: Width of the bell in degrees.
        centre: ``phi_0``, the azimuth that shows least, in degrees.
        loss_weight: Factor.

    Raises:
        ValueError: ``delta`` is not positive.
    """

    def __init__(
        self, eta: float = 0.2, delta: float = 20.0, centre: float = 180.0, loss_weight: float = 10.0
    ) -> None:
        super().__init__()
        if not delta > 0:
            raise ValueError(f'delta must be positive, got {delta} degrees')
        self.eta, self.delta, self.centre = eta, math.radians(delta), math.radians(centre)
        self.loss_weight = loss_weight

    def forward(self, sigma: Tensor, azimuth: Tensor) -> Tensor:
        """Scalar, float32 or better; 0 (with a graph) where no azimuth is known.

        Args:
            sigma: (B, D) standard deviations.
            azimuth: (B,) of the cameras in radians, of any turn; NaN where unknown: those samples do not count.
        """
        spread = sigma.to(torch.promote_types(sigma.dtype, torch.float32)).mean(dim=1)
        known = azimuth.isfinite()
        # The shorter way round; for 0 to 360 degrees and the centre of 180 the published difference itself.
        offset = torch.remainder(azimuth.nan_to_num() - self.centre + math.pi, 2 * math.pi) - math.pi
        wanted = self.eta * (-(offset / self.delta).square()).exp().to(spread)
        return self.loss_weight * ((spread - wanted).square() * known).sum() / known.sum().clamp(min=1)
