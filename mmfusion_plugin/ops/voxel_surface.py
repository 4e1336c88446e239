"""Points on the surface of voxels."""

from __future__ import annotations

import numpy as np


def sample_voxel_surface(occupied: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread evenly over the faces that divide occupied voxels from free ones.

    What lies outside the grid is free, so that a shape that touches the grid's border is closed there.

    Args:
        occupied: ``(X, Y, Z)`` bool.
        count: Number of points.
        rng: Draws them.

    Returns:
        ``(count, 3)`` float64 in voxels: voxel ``(i, j, k)`` spans ``i..i + 1``, ``j..j + 1``, ``k..k + 1``.

    Raises:
        ValueError: No voxel is occupied, or the grid has not three axes.
    """
    occupied = np.asarray(occupied, dtype=bool)
    if occupied.ndim != 3 or not occupied.any():
        raise ValueError(f'need a grid (X, Y, Z) with at least one occupied voxel, got {occupied.shape}')
    padded = np.pad(occupied, 1)
    cells, normals = [], []
    for axis in range(3):
        for side in (0, 1):  # the lower and the upper face of a voxel
            free = ~np.roll(padded, 1 - 2 * side, axis=axis)[1:-1, 1:-1, 1:-1]
            found = np.argwhere(occupied & free)
            cells.append(found)
            normals.append(np.tile([axis, side], (len(found), 1)))
    faces, planes = np.concatenate(cells), np.concatenate(normals)
    chosen = rng.integers(len(faces), size=count)  # all faces are of one size
    offsets = rng.random((count, 3))
    offsets[np.arange(count), planes[chosen, 0]] = planes[chosen, 1]
    return faces[chosen] + offsets
