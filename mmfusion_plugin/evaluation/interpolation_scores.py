"""How evenly shapes change along a path between two of them."""

from __future__ import annotations

from typing import Dict

import torch
from torch import Tensor

from mmfusion_plugin.ops.chamfer import chamfer_distance


def interpolation_steps(clouds: Tensor, squared: bool = True) -> Tensor:
    """Chamfer distance between each cloud and the next one.

    Args:
        clouds: (S, N, 3) floating, in the order of the path, S > 1 and N > 0.
        squared: Average d^2 rather than d; both ways are added.

    Returns:
        (S - 1,) float64, in the unit of the points (squared).

    Raises:
        ValueError: There is one cloud only, they have no point, another shape or are not finite.
    """
    if clouds.dim() != 3 or clouds.shape[2] != 3 or len(clouds) < 2 or not clouds.shape[1]:
        raise ValueError(f'a path needs clouds (S, N, 3), S at least 2 and N at least 1, got {tuple(clouds.shape)}')
    clouds = clouds.detach().double()
    return sum(chamfer_distance(clouds[:-1], clouds[1:], squared=squared))


def interpolation_smoothness(clouds: Tensor, squared: bool = True) -> Dict[str, float]:
    """``mean_step`` and ``max_step`` between neighbours, and the distance of the ``ends``.

    A path that stands still and then jumps has a small mean for its ends, and a maximum near their distance.

    Args:
        clouds, squared: As in :func:`interpolation_steps`.

    Raises:
        ValueError: As there.
    """
    steps = interpolation_steps(clouds, squared)
    ends = interpolation_steps(torch.stack([clouds[0], clouds[-1]]), squared)
    return dict(mean_step=float(steps.mean()), max_step=float(steps.max()), ends=float(ends))
