"""The nearest point in each of the eight octants around a point (PointSIFT, arXiv 1807.00652, section 3.2)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from .neighbour_search import PAIRS_AT_ONCE

# A tree compares d <= r: what lies on the surface of the ball is sorted out afterwards, not lost to rounding.
_REACH = 1 + 1e-9
# Pairs that are held at once on a CPU, at about 100 bytes each.
_PAIRS = PAIRS_AT_ONCE // 4


def octant_neighbours(points: Tensor, radius: float) -> Tensor:
    """The nearest other point in each octant of the ball around each point.

    The octant of ``q`` seen from ``p`` is ``4 [qx > px] + 2 [qy > py] + [qz > pz]``, so that one further along an axis
    changes one bit; PointSIFT's convolutions join octants that differ in one axis.

    Args:
        points: (N, 3) floating, finite, in metres. Compared in float64.
        radius: Points at ``d < radius`` are inside (metres).

    Returns:
        (N, 8) int64; the lowest index among equally near ones, and the point itself where an octant is empty.

    Raises:
        TypeError: ``points`` are not floating.
        ValueError: A shape or the radius is wrong, or a coordinate is NaN or infinite.
    """
    if not points.is_floating_point():
        raise TypeError(f'points must be floating, got {points.dtype}')
    if points.dim() != 2 or points.shape[1] != 3:
        raise ValueError(f'points must be (N, 3), got {tuple(points.shape)}')
    if not 0 < radius < float('inf'):
        raise ValueError(f'radius must be positive and finite, got {radius}')
    if not bool(torch.isfinite(points).all()):
        raise ValueError('points hold NaN or infinite coordinates: drop those points first')
    exact = points.detach().double()
    if points.device.type == 'cpu':
        return torch.from_numpy(_by_tree(exact.numpy(), radius))
    return _dense(exact, radius)


def _by_tree(points: np.ndarray, radius: float) -> np.ndarray:
    """Pairs within the radius from a k-d tree, a range of points at a time, as many as fit into ``_PAIRS``."""
    size = len(points)
    result = np.repeat(np.arange(size)[:, None], 8, axis=1)
    tree, ranges = cKDTree(points), [(0, size)] if size else []
    while ranges:
        low, high = ranges.pop()
        part = cKDTree(points[low:high])
        if high - low > 1 and part.count_neighbors(tree, radius * _REACH) > _PAIRS:
            middle = (low + high) // 2
            ranges += [(low, middle), (middle, high)]
            continue
        pairs = part.sparse_distance_matrix(tree, radius * _REACH, output_type='ndarray')
        _keep_nearest(points, pairs['i'], pairs['j'], radius, result[low:high], low)
    return result


def _keep_nearest(
    points: np.ndarray, row: np.ndarray, column: np.ndarray, radius: float, result: np.ndarray, low: int
) -> None:
    """Write into ``result``, the rows of the points from ``low`` on, the nearest of the pairs of each octant."""
    dist2, octant = np.zeros(len(row)), np.zeros(len(row), dtype=np.int64)
    for axis in points.T:
        offset = axis[column] - axis[low:][row]
        dist2 += offset * offset
        octant = 2 * octant + (offset > 0)
    inside = (dist2 < radius**2) & (row + low != column)
    cell, column, dist2 = (row * 8 + octant)[inside], column[inside], dist2[inside]
    # Two minima instead of a sort: of the distance, then of the index among those that have it.
    nearest = np.full(result.size, np.inf)
    np.minimum.at(nearest, cell, dist2)
    winner = dist2 == nearest[cell]
    first = np.full(result.size, len(points))
    np.minimum.at(first, cell[winner], column[winner])
    found = first.reshape(result.shape)
    np.copyto(result, found, where=found < len(points))


def _dense(points: Tensor, radius: float) -> Tensor:
    """All pairs, a chunk of points at a time."""
    size = len(points)
    everyone = torch.arange(size, device=points.device)
    result = everyone[:, None].repeat(1, 8)
    bits = torch.tensor([4, 2, 1], device=points.device)
    step = max(1, PAIRS_AT_ONCE // max(1, size))
    for start in range(0, size, step):
        rows = everyone[start:start + step]
        offset = points[None] - points[rows, None]
        dist2 = offset[..., 0] ** 2 + offset[..., 1] ** 2 + offset[..., 2] ** 2
        octant = ((offset > 0) * bits).sum(2)
        dist2.masked_fill_((dist2 >= radius**2) | (rows[:, None] == everyone), torch.inf)
        for number in range(8):
            nearest, column = dist2.masked_fill(octant != number, torch.inf).min(1)
            result[rows, number] = torch.where(nearest.isinf(), rows, column)
    return result
