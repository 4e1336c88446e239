"""Shapes as voxels: how far two overlap, and the clouds on their surface by which they are compared otherwise."""

from __future__ import annotations

from typing import Union

import numpy as np
import torch
from torch import Tensor

from mmfusion_plugin.ops.voxel_surface import sample_voxel_surface

Voxels = Union[Tensor, np.ndarray]
#: ``'unit_cube'``: the box around the occupied voxels is centred at 0 and has 1 as its longest side, whatever the
#: shape's size and place; ``'grid'``: the grid has, so that size and place count.
SCALES = ('unit_cube', 'grid')


def occupied(voxels: Voxels, threshold: float = 0.5) -> Tensor:
    """Which voxels belong to the shape.

    Args:
        voxels: (..., X, Y, Z): bool, or numbers such as a diffusion model's.
        threshold: Number above which a voxel does.

    Returns:
        The same shape, bool, on the CPU.

    Raises:
        ValueError: There are fewer than three axes, or a number is NaN or infinite.
    """
    grid = torch.as_tensor(voxels).detach().cpu()
    if grid.dim() < 3:
        raise ValueError(f'voxels must be (..., X, Y, Z), got {tuple(grid.shape)}')
    if grid.dtype == torch.bool:
        return grid
    if not bool(grid.isfinite().all()):
        raise ValueError('voxels hold NaN or infinite numbers')
    return grid > threshold


def voxel_iou(prediction: Voxels, target: Voxels, threshold: float = 0.5) -> Tensor:
    """Voxels that both shapes occupy, as a share of those that either does.

    Args:
        prediction: (..., X, Y, Z): one shape or several, see :func:`occupied`.
        target: (X, Y, Z), or as many as predictions.
        threshold: Number above which a voxel is occupied.

    Returns:
        (...) float64 in 0..1; 1 where both are empty.

    Raises:
        ValueError: The grids differ in size, or are no voxels.
    """
    found, truth = occupied(prediction, threshold), occupied(target, threshold)
    if found.shape[-3:] != truth.shape[-3:]:
        raise ValueError(f'both must be grids of one size, got {tuple(found.shape)} for {tuple(truth.shape)}')
    shared, either = ((part).sum(dim=(-3, -2, -1)).double() for part in (found & truth, found | truth))
    return torch.where(either > 0, shared / either.clamp(min=1), 1.0)


def voxel_cloud(
    voxels: Voxels, points: int = 2048, scale: str = 'unit_cube', seed: int = 0, threshold: float = 0.5
) -> Tensor:
    """Points spread evenly over the faces between occupied voxels and free ones.

    CISP compares clouds of 2048 points and does not say how they are drawn; this is ours. It depends on the voxels
    alone: equal shapes have equal clouds, wherever they stand in a data set.

    Args:
        voxels: (X, Y, Z), see :func:`occupied`.
        points: Number of points.
        scale: See ``SCALES``.
        seed: Of the points.
        threshold: Number above which a voxel is occupied.

    Returns:
        (points, 3) float32 in -0.5..0.5. A shape without any voxel is a point, the centre, ``points`` times.

    Raises:
        ValueError: The voxels have not three axes, a number is not finite, or an option is wrong.
    """
    grid = occupied(voxels, threshold)
    if grid.dim() != 3 or points < 1 or scale not in SCALES:
        raise ValueError(f'need voxels (X, Y, Z), points > 0 and scale of {SCALES}, got {tuple(grid.shape)}, {points} '
                         f'and {scale!r}')  # fmt: skip
    if not bool(grid.any()):
        return torch.zeros(points, 3)
    cells = grid.nonzero().numpy()
    low, high = (np.zeros(3), np.array(grid.shape)) if scale == 'grid' else (cells.min(axis=0), cells.max(axis=0) + 1)
    cloud = sample_voxel_surface(grid.numpy(), points, np.random.default_rng(seed))
    return torch.from_numpy((cloud - (low + high) / 2) / (high - low).max()).float()
