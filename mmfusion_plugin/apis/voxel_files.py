"""Files of a voxelised shape: numbers, binvox, and the mesh of its surface."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np

from mmfusion_plugin.converters.binvox import VoxelGrid, write_binvox
from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.ops.voxel_surface import QuadMesh, voxel_mesh

ENDINGS = ('.npy', '.binvox', '.obj')
# Generated shapes lie in the cube of side 1 about the origin.
_CORNER, _SIDE = -0.5, 1.0


def write_voxels(stem: Path, occupied: np.ndarray) -> List[Path]:
    """Write ``<stem>.npy`` (bool), ``<stem>.binvox`` and ``<stem>.obj``; y is up and x forward, as in ShapeNet.

    The latter two place the grid as the cube from -0.5 to 0.5. A shape without voxels has a mesh without faces.

    Args:
        stem: Path of the files without their endings.
        occupied: ``(R, R, R)`` bool.

    Returns:
        The paths.
    """
    array, binvox, mesh = (stem.with_name(stem.name + suffix) for suffix in ENDINGS)
    with whole_file(array) as partial, open(partial, 'wb') as file:
        np.save(file, occupied)
    write_binvox(binvox, VoxelGrid(occupied, (_CORNER,) * 3, _SIDE))
    corners, faces = voxel_mesh(occupied)
    write_text(mesh, obj_text(QuadMesh(corners * (_SIDE / len(occupied)) + _CORNER, faces)))
    return [array, binvox, mesh]


def obj_text(mesh: QuadMesh) -> str:
    """A mesh as Wavefront OBJ."""
    lines = [f'# {len(mesh.corners)} corners, {len(mesh.faces)} faces of voxels']
    lines += [f'v {x:.9g} {y:.9g} {z:.9g}' for x, y, z in mesh.corners.tolist()]
    lines += [f'f {a} {b} {c} {d}' for a, b, c, d in (mesh.faces + 1).tolist()]
    return '\n'.join(lines) + '\n'
