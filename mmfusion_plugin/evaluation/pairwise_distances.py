"""Distances between all clouds of one set and all of another."""

from __future__ import annotations

from typing import Callable, Dict, Optional

import torch
from torch import Tensor
from tqdm import tqdm

from mmfusion_plugin.ops.chamfer import chamfer_distance
from mmfusion_plugin.ops.emd import exact_emd, sinkhorn_divergence

from .reconstruction_scores import EXACT_LIMIT, SINKHORN

Distance = Callable[[Tensor, Tensor, float], Tensor]
DISTANCES: Dict[str, Distance] = {
    'cd': lambda first, second, diameter: sum(chamfer_distance(first, second)),
    'exact': lambda first, second, diameter: exact_emd(first, second, max_points=EXACT_LIMIT),
    'sinkhorn': lambda first, second, diameter: sinkhorn_divergence(first, second, diameter=diameter, **SINKHORN),
}
"""``'cd'``: mean squared distance to the nearest point, both ways added; ``'exact'`` and ``'sinkhorn'``: EMD, see
:func:`~mmfusion_plugin.evaluation.reconstruction_scores.earth_mover`."""
_PAIRS_AT_ONCE = 8  # enough to occupy a GPU, and few enough for the bar to move on a CPU
_SHOWN_AFTER = 2.0  # seconds


@torch.no_grad()
def pairwise_distances(samples: Tensor, references: Optional[Tensor] = None, kind: str = 'cd') -> Tensor:
    """Distance of each sample to each reference, with a progress bar where it takes long.

    On one CPU core, between surfaces of unlike shapes, an exact EMD takes about 4 s of 2048 points, 0.6 s of 1024 and
    0.06 s of 512; a Chamfer distance of 2048 takes about 0.01 s. Sinkhorn is for a GPU.

    Args:
        samples: (S, N, 3) floating, clouds of one size, on any device.
        references: (R, N, 3), the same dtype and device. None: the samples themselves; each pair is then calculated
            once, and a cloud is 0 away from itself.
        kind: See ``DISTANCES``.

    Returns:
        (S, R) float64 on the CPU; in the unit of the points, of ``'cd'`` squared.

    Raises:
        TypeError: The clouds are not of one floating dtype.
        ValueError: They have no point, another shape or are not finite, or the kind is unknown.
    """
    if kind not in DISTANCES:
        raise ValueError(f'kind must be one of {tuple(DISTANCES)}, got {kind!r}')
    others = samples if references is None else references
    for name, clouds in (('samples', samples), ('references', others)):
        if clouds.dim() != 3 or clouds.shape[2] != 3 or not clouds.shape[1]:
            raise ValueError(f'{name} must be clouds (S, N, 3) of at least one point, got {tuple(clouds.shape)}')
    result = torch.zeros(len(samples), len(others), dtype=torch.float64)
    rows, columns = _pairs(len(samples), len(others), symmetric=references is None)
    if not len(rows):
        return result
    diameter = _diameter(samples, others)
    with tqdm(total=len(rows), desc=f'{kind} of pairs', unit='pair', delay=_SHOWN_AFTER, leave=False) as bar:
        for row, column in zip(rows.split(_PAIRS_AT_ONCE), columns.split(_PAIRS_AT_ONCE)):
            found = DISTANCES[kind](samples[row.to(samples.device)], others[column.to(others.device)], diameter)
            result[row, column] = found.double().cpu()
            bar.update(len(row))
    return result if references is not None else result + result.T


def _pairs(rows: int, columns: int, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Rows and columns (P,) of the distances that are calculated."""
    if symmetric:
        return tuple(torch.triu_indices(rows, columns, offset=1))
    return torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)


def _diameter(*clouds: Tensor) -> float:
    """Diagonal of the box around all clouds: with it no distance depends on what is calculated beside it."""
    low = torch.stack([part.amin(dim=(0, 1)) for part in clouds]).amin(dim=0)
    high = torch.stack([part.amax(dim=(0, 1)) for part in clouds]).amax(dim=0)
    return float((high - low).norm()) or SINKHORN['blur']
