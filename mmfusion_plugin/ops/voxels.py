"""From points to voxels: the voxel of each point, and the distinct voxels of a batch with the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Union

import torch
from torch import Tensor

Bounds = Union[Tensor, Sequence[float]]


class Voxels(NamedTuple):
    """The occupied voxels of a batch and the voxel of each point.

    Attributes:
        coordinates: (V, 4) int64, [batch, x, y, z], distinct and in lexicographic order.
        inverse: (N,) int64, the row in ``coordinates`` of each point.
    """

    coordinates: Tensor
    inverse: Tensor


def voxel_coordinates(xyz: Tensor, lower: Bounds, upper: Bounds, grid_shape: Sequence[int]) -> Tensor:
    """Voxel that each point lies in: ``trunc(grid_shape * (xyz - lower) / (upper - lower))``.

    Nothing is clipped: points outside [lower, upper) get coordinates outside the grid, and those less than one voxel
    below ``lower`` get 0; leave them out beforehand with :func:`in_volume`.

    Args:
        xyz: Points of shape (N, 3) in metres, floating; computed in their own dtype.
        lower: Least corner of the volume, 3 numbers, in metres.
        upper: Greatest corner of the volume, 3 numbers, in metres.
        grid_shape: Number of voxels along x, y, z.

    Returns:
        Coordinates [x, y, z] of shape (N, 3), int64.

    Raises:
        TypeError: ``xyz`` is not floating.
        ValueError: A shape is wrong, the volume or the grid is empty, or a coordinate is NaN or infinite.
    """
    scaled = _scaled(xyz, lower, upper, grid_shape)
    if not bool(torch.isfinite(scaled).all()):
        raise ValueError(
            'xyz holds NaN or infinite coordinates: drop those points first, in_volume() is False for them'
        )
    return scaled.long()


def in_volume(xyz: Tensor, lower: Bounds, upper: Bounds) -> Tensor:
    """Which points lie in the volume, and so in a voxel of any grid that divides it.

    Args:
        xyz: Points of shape (N, 3) in metres, floating.
        lower: Least corner of the volume (inside), 3 numbers, in metres.
        upper: Greatest corner of the volume (outside), 3 numbers, in metres.

    Returns:
        Mask of shape (N,): ``lower <= xyz < upper``. Points so close below ``upper`` that rounding could put them into
        the voxel beyond the last (2 machine epsilons of the extent: 24 um in 100 m for float32) count as outside.
        False for NaN and infinities.

    Raises:
        TypeError, ValueError: As :func:`voxel_coordinates`, save that NaN and infinities are allowed.
    """
    fraction = _scaled(xyz, lower, upper, (1, 1, 1))
    return ((fraction >= 0) & (fraction < 1 - 2 * torch.finfo(xyz.dtype).eps)).all(dim=1)


def unique_voxels(coordinates: Tensor) -> Voxels:
    """Distinct voxels among ``coordinates``.

    Args:
        coordinates: (N, 4) int64, [batch, x, y, z]; negative numbers are fine.

    Returns:
        The distinct voxels in lexicographic order and the voxel of each row.

    Raises:
        TypeError: ``coordinates`` is not int64.
        ValueError: ``coordinates`` is not (N, 4).
    """
    if coordinates.dtype != torch.long:
        raise TypeError(f'coordinates must be int64, got {coordinates.dtype}: convert them with .long()')
    if coordinates.dim() != 2 or coordinates.shape[1] != 4:
        raise ValueError(f'coordinates must be (N, 4) [batch, x, y, z], got {tuple(coordinates.shape)}')
    if not coordinates.shape[0]:
        return Voxels(coordinates, coordinates.new_empty(0))
    low, high = coordinates.amin(0), coordinates.amax(0)
    span = [int(top) - int(bottom) + 1 for top, bottom in zip(high.tolist(), low.tolist())]
    if span[0] * span[1] * span[2] * span[3] >= 1 << 63:  # one number per voxel would overflow
        return Voxels(*torch.unique(coordinates, dim=0, return_inverse=True))
    offset = coordinates - low
    key = ((offset[:, 0] * span[1] + offset[:, 1]) * span[2] + offset[:, 2]) * span[3] + offset[:, 3]
    key, inverse = torch.unique(key, return_inverse=True)
    # Points of one voxel write the same row.
    return Voxels(coordinates.new_empty(len(key), 4).index_copy_(0, inverse, coordinates), inverse)


def _scaled(xyz: Tensor, lower: Bounds, upper: Bounds, grid_shape: Sequence[int]) -> Tensor:
    """Points in units of voxels from the least corner, after checking the arguments."""
    if not xyz.is_floating_point():
        raise TypeError(f'xyz must be floating, got {xyz.dtype}')
    if xyz.dim() != 2 or xyz.shape[1] != 3:
        raise ValueError(f'xyz must be (N, 3), got {tuple(xyz.shape)}: slice the coordinates off first')
    if not len(lower) == len(upper) == len(grid_shape) == 3:
        raise ValueError(f'lower, upper and grid_shape need 3 numbers each, got {lower}, {upper}, {grid_shape}')
    low, high, shape = (torch.as_tensor(v, dtype=xyz.dtype, device=xyz.device) for v in (lower, upper, grid_shape))
    if not bool((low < high).all()) or not bool((shape > 0).all()):
        raise ValueError(f'empty volume or grid: lower={lower}, upper={upper}, grid_shape={grid_shape}')
    return shape * (xyz - low) / (high - low)
