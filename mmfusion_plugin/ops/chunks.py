"""Overlapping upright boxes that cover a scene, so that a network which sees a part of it can segment the whole."""

from __future__ import annotations

import math
from typing import Tuple, TypeVar

import numpy as np
from torch import Tensor

Rows = TypeVar('Rows', np.ndarray, Tensor)

# A last position that would add less than this share of a stride is left out, and the core before it stretched.
_ROUNDING = 1e-6


def chunk_grid(
    points: np.ndarray,
    size: Tuple[float, float] = (1.5, 1.5),
    stride: float = 0.5,
    margin: float = 0.2,
    min_points: int = 1000,
) -> np.ndarray:
    """Boxes of a sliding window over a scene, along x and y; z is free.

    Each box is a core, which starts a multiple of ``stride`` after the least coordinate, and a margin. Cores of few
    points are left out unless a point lies in no other one: of those, the core with most such points comes first, the
    first of the grid among equals. MVPNet (arXiv 1909.13603), whose code all defaults are of, leaves them out in any
    case, and has no window at all in scans shorter than 1 m.

    Args:
        points: (N, at least 2) floating x and y, metres.
        size: Of the core along x and y, metres.
        stride: Between cores, metres; at most ``size``.
        margin: Around the core, metres.
        min_points: Points that a core needs; none is kept without any.

    Returns:
        (K, 4) float64 ``[x0, y0, x1, y1]``, margin included, x ascending, then y. Every point lies in the core of at
        least one; without points K = 0.

    Raises:
        ValueError: A size, the stride or the margin is out of range, or a coordinate is NaN or infinite.
    """
    if not (0 < stride <= min(size) and max(size) < math.inf and 0 <= margin < math.inf):
        raise ValueError(f'need 0 < stride <= size and 0 <= margin, got size={size}, stride={stride}, margin={margin}')
    if points.ndim != 2 or points.shape[1] < 2:
        raise ValueError(f'points must be (N, at least 2), got {points.shape}')
    if not len(points):
        return np.zeros((0, 4))
    if not np.isfinite(points[:, :2]).all():
        raise ValueError('points hold NaN or infinite coordinates: drop those points first')
    spans = [_cores(axis, length, stride) for axis, length in zip(points[:, :2].T.astype(np.float64), size)]
    ranges = np.stack([_reached(axis, *span) for axis, span in zip(points[:, :2].T.astype(np.float64), spans)], axis=1)
    shape = (len(spans[0][0]), len(spans[1][0]))
    column, row = np.nonzero(_choose(ranges, shape, min_points))
    (x0, x1), (y0, y1) = spans
    return np.stack([x0[column] - margin, y0[row] - margin, x1[column] + margin, y1[row] + margin], axis=1)


def in_box(points: Rows, box: Rows) -> Rows:
    """Which points lie in an upright box or on its sides.

    Args:
        points: (N, at least 2) array or tensor.
        box: (4,) ``[x0, y0, x1, y1]``, array or tensor as well.

    Returns:
        (N,) bool.
    """
    x, y = points[:, 0], points[:, 1]
    # Slices instead of scalars, with which numpy 1 would round a float64 box to the points' float32.
    return (x >= box[0:1]) & (x <= box[2:3]) & (y >= box[1:2]) & (y <= box[3:4])


def _cores(axis: np.ndarray, size: float, stride: float) -> Tuple[np.ndarray, np.ndarray]:
    """First and last coordinates of the cores along an axis, without gaps, the last one up to the last point."""
    low, high = axis.min(), axis.max()
    count = max(1, math.ceil((high - low - size) / stride - _ROUNDING) + 1)
    starts = low + stride * np.arange(count)
    return starts, np.maximum(starts + size, np.append(starts[1:], high))


def _reached(axis: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(2, N) first core that holds each coordinate, and the first behind them that does not."""
    return np.stack([np.searchsorted(ends, axis, 'left'), np.searchsorted(starts, axis, 'right')])


def _choose(ranges: np.ndarray, shape: Tuple[int, int], min_points: int) -> np.ndarray:
    """(X, Y) bool of the grid's cores that are kept, from the (2, 2, N) ranges of cores that hold each point."""
    kept = _points_per_core(ranges, shape) >= max(1, min_points)
    (left, right), (bottom, top) = ranges.swapaxes(0, 1)
    summed = np.zeros((shape[0] + 1, shape[1] + 1), dtype=np.int64)
    summed[1:, 1:] = kept.cumsum(0).cumsum(1)
    covered = summed[right, top] - summed[left, top] - summed[right, bottom] + summed[left, bottom]
    ranges = ranges[..., covered == 0]
    while ranges.shape[2]:
        core = np.unravel_index(_points_per_core(ranges, shape).argmax(), shape)
        kept[core] = True
        inside = [(first <= at) & (at < behind) for at, (first, behind) in zip(core, ranges.swapaxes(0, 1))]
        ranges = ranges[..., ~(inside[0] & inside[1])]
    return kept


def _points_per_core(ranges: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """(X, Y) points in each core, by sums over the corners of the points' ranges."""
    corners = np.zeros((shape[0] + 1) * (shape[1] + 1), dtype=np.int64)
    (left, right), (bottom, top) = ranges.swapaxes(0, 1)
    for columns, rows, sign in ((left, bottom, 1), (right, bottom, -1), (left, top, -1), (right, top, 1)):
        corners += sign * np.bincount(columns * (shape[1] + 1) + rows, minlength=len(corners))
    return corners.reshape(shape[0] + 1, shape[1] + 1).cumsum(0).cumsum(1)[:-1, :-1]
