"""A single learned number."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What a positive number stays above: it may stand under a fraction bar.
FLOOR = 1e-4


class LearnedScalar(nn.Module):
    """A number that is learnt, on request one that stays positive: ``softplus(raw) + FLOOR``.

    Args:
        value: What it starts from.
        positive: Keep it above :data:`FLOOR`.

    Raises:
        ValueError: ``value`` is to be positive and does not lie above the floor.
    """

    def __init__(self, value: float, positive: bool = False) -> None:
        super().__init__()
        if positive and not FLOOR < value < math.inf:
            raise ValueError(f'a positive number must start above {FLOOR}, got {value}')
        self.positive = positive
        distance = value - FLOOR
        # The inverse of softplus, in the form that large values do not overflow.
        start = distance + math.log(-math.expm1(-distance)) if positive else value
        self.raw = nn.Parameter(torch.tensor(float(start)))

    def forward(self) -> Tensor:
        """The number, of shape ()."""
        return F.softplus(self.raw) + FLOOR if self.positive else self.raw
