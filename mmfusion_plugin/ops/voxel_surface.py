"""The surface of voxels: the faces that divide occupied ones from free ones, as a mesh, and points on it.

What lies outside the grid is free, so that a shape that touches the grid's border is closed there. Places are in
voxels: voxel ``(i, j, k)`` spans ``i..i + 1``, ``j..j + 1``, ``k..k + 1``.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Tuple

import numpy as np


class QuadMesh(NamedTuple):
    """A surface of squares.

    Attributes:
        corners: ``(V, 3)``, each place once.
        faces: ``(F, 4)`` int64 rows of ``corners``, counter-clockwise as seen from outside.
    """

    corners: np.ndarray
    faces: np.ndarray


def voxel_mesh(occupied: np.ndarray) -> QuadMesh:
    """The surface as a closed mesh with shared corners.

    Voxels that touch along an edge alone share it: four faces meet there. Without voxels there are no faces.

    Args:
        occupied: ``(X, Y, Z)`` bool.

    Returns:
        The mesh; corners are int64.
    """
    squares = []
    for axis, side, cells in _faces(np.asarray(occupied, dtype=bool)):
        along, second, third = np.eye(3, dtype=np.int64)[[axis, (axis + 1) % 3, (axis + 2) % 3]]
        loop = np.stack([0 * along, second, second + third, third])  # counter-clockwise against the axis
        squares.append(cells[:, None] + side * along + (loop if side else loop[::-1]))
    corners, faces = np.unique(np.concatenate(squares).reshape(-1, 3), axis=0, return_inverse=True)
    return QuadMesh(corners, faces.reshape(-1, 4))


def sample_voxel_surface(occupied: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread evenly over the surface.

    Args:
        occupied: ``(X, Y, Z)`` bool.
        count: Number of points.
        rng: Draws them.

    Returns:
        ``(count, 3)`` float64.

    Raises:
        ValueError: No voxel is occupied, or the grid has not three axes.
    """
    occupied = np.asarray(occupied, dtype=bool)
    if occupied.ndim != 3 or not occupied.any():
        raise ValueError(f'need a grid (X, Y, Z) with at least one occupied voxel, got {occupied.shape}')
    cells, normals = [], []
    for axis, side, found in _faces(occupied):
        cells.append(found)
        normals.append(np.tile([axis, side], (len(found), 1)))
    faces, planes = np.concatenate(cells), np.concatenate(normals)
    chosen = rng.integers(len(faces), size=count)  # all faces are of one size
    offsets = rng.random((count, 3))
    offsets[np.arange(count), planes[chosen, 0]] = planes[chosen, 1]
    return faces[chosen] + offsets


def _faces(occupied: np.ndarray) -> Iterator[Tuple[int, int, np.ndarray]]:
    """Axis, side (0 the lower, 1 the upper), and the voxels ``(F, 3)`` int64 that have a face there."""
    padded = np.pad(occupied, 1)
    for axis in range(3):
        for side in (0, 1):
            free = ~np.roll(padded, 1 - 2 * side, axis=axis)[1:-1, 1:-1, 1:-1]
            yield axis, side, np.argwhere(occupied & free)
