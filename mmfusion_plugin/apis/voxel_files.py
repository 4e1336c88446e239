"""Files of a voxelised shape: numbers, binvox, and the mesh of its surface."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple

import numpy as np

from mmfusion_plugin.converters.binvox import VoxelGrid, write_binvox
from mmfusion_plugin.files import whole_file, write_text

# Generated shapes lie in the cube of side 1 about the origin.
_CORNER, _SIDE = -0.5, 1.0


class QuadMesh(NamedTuple):
    """A surface of squares.

    Attributes:
        corners: ``(V, 3)`` float64, each place once.
        faces: ``(F, 4)`` int64 rows of ``corners``, counter-clockwise as seen from outside.
    """

    corners: np.ndarray
    faces: np.ndarray


def write_voxels(stem: Path, occupied: np.ndarray) -> List[Path]:
    """Write ``<stem>.npy`` (bool), ``<stem>.binvox`` and ``<stem>.obj``; y is up and x forward, as in ShapeNet.

    The latter two place the grid as the cube from -0.5 to 0.5. A shape without voxels has a mesh without faces.

    Args:
        stem: Path of the files without their endings.
        occupied: ``(R, R, R)`` bool.

    Returns:
        The paths.
    """
    array, binvox, mesh = (stem.with_name(stem.name + suffix) for suffix in ('.npy', '.binvox', '.obj'))
    with whole_file(array) as partial, open(partial, 'wb') as file:
        np.save(file, occupied)
    write_binvox(binvox, VoxelGrid(occupied, (_CORNER,) * 3, _SIDE))
    write_text(mesh, obj_text(voxel_mesh(occupied)))
    return [array, binvox, mesh]


def voxel_mesh(occupied: np.ndarray) -> QuadMesh:
    """The faces that divide occupied voxels from free ones, as a closed mesh with shared corners.

    What lies outside the grid is free. Voxels that touch along an edge alone share it: four faces meet there.

    Args:
        occupied: ``(R, R, R)`` bool; placed as the cube from -0.5 to 0.5.
    """
    padded, squares = np.pad(np.asarray(occupied, dtype=bool), 1), [np.zeros((0, 4, 3), np.int64)]
    for axis in range(3):
        along, second, third = np.eye(3, dtype=np.int64)[[axis, (axis + 1) % 3, (axis + 2) % 3]]
        loop = np.stack([0 * along, second, second + third, third])  # counter-clockwise against the axis
        for side in (0, 1):
            free = ~np.roll(padded, 1 - 2 * side, axis=axis)
            cells = np.argwhere((padded & free)[1:-1, 1:-1, 1:-1])
            squares.append(cells[:, None] + side * along + (loop if side else loop[::-1]))
    corners, faces = np.unique(np.concatenate(squares).reshape(-1, 3), axis=0, return_inverse=True)
    return QuadMesh(corners * (_SIDE / len(occupied)) + _CORNER, faces.reshape(-1, 4))


def obj_text(mesh: QuadMesh) -> str:
    """A mesh as Wavefront OBJ."""
    lines = [f'# {len(mesh.corners)} corners, {len(mesh.faces)} faces of voxels']
    lines += [f'v {x:.9g} {y:.9g} {z:.9g}' for x, y, z in mesh.corners.tolist()]
    lines += [f'f {a} {b} {c} {d}' for a, b, c, d in (mesh.faces + 1).tolist()]
    return '\n'.join(lines) + '\n'
