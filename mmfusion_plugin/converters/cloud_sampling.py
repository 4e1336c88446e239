"""Clouds where none are published: points on the surface of a mesh, or of voxels."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import numpy as np

from mmfusion_plugin.converters.binvox import VoxelGrid, read_binvox
from mmfusion_plugin.converters.cloud_axes import unit_diagonal
from mmfusion_plugin.ops.voxel_surface import sample_voxel_surface

MESH_SUFFIXES = ('.obj', '.off', '.ply', '.stl')
#: ``'diagonal'``: the bounding box is centred on the origin and its diagonal is 1, as ShapeNetCore v1's models that
#: 3D-R2N2 rendered; ``'none'``: as the file has it.
NORMALIZE = ('diagonal', 'none')
_VOXEL_KEY = 'voxel'  # of Pix3D's voxel.mat


def sample_file(path: Path, count: int, rng: np.random.Generator, normalize: str = 'diagonal') -> np.ndarray:
    """Points spread evenly over the surface that a file describes.

    Args:
        path: A mesh (see ``MESH_SUFFIXES``), ``.binvox``, or Pix3D's ``voxel.mat``.
        count: Number of points, in no order.
        rng: Draws them.
        normalize: See ``NORMALIZE``.

    Returns:
        ``(count, 3)`` float32 in the file's axes; of ``voxel.mat``, in those of Pix3D's meshes.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: It is damaged, has no surface, or is of another kind.
    """
    if normalize not in NORMALIZE:
        raise ValueError(f'normalize must be {" or ".join(map(repr, NORMALIZE))}, got {normalize!r}')
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found')
    if path.suffix.lower() in MESH_SUFFIXES:
        points, low, high = _sample_mesh(path, count, rng)
    elif path.suffix.lower() == '.binvox':
        points, low, high = _sample_voxels(path, read_binvox(path), count, rng)
    elif path.suffix.lower() == '.mat':
        points, low, high = _sample_voxels(path, VoxelGrid(read_voxel_mat(path)), count, rng)
    else:
        raise ValueError(f'{path} is no mesh ({", ".join(MESH_SUFFIXES)}) and no voxels (.binvox, .mat)')
    return (unit_diagonal(points, low, high) if normalize == 'diagonal' else points).astype(np.float32)


def read_voxel_mat(path: Path) -> np.ndarray:
    """``(D, D, D)`` bool voxels of Pix3D's ``voxel.mat`` in the axes of its meshes (x left, y up, z in).

    The file's own axes are x left, y out, z up (README of Pix3D).

    Raises:
        ValueError: It is no such file.
    """
    from scipy.io import loadmat

    try:
        voxels = loadmat(str(path), variable_names=[_VOXEL_KEY])[_VOXEL_KEY]
    except Exception as error:  # its reader raises whatever it meets: struct.error, TypeError, zlib.error, ...
        raise ValueError(f'{path} is no .mat file with {_VOXEL_KEY!r} ({type(error).__name__}: {error})') from error
    if voxels.ndim != 3 or len(set(voxels.shape)) != 1 or voxels.dtype.kind not in 'biuf':
        raise ValueError(f'{path}: {_VOXEL_KEY!r} must be a cube of numbers, got {voxels.dtype} {voxels.shape}')
    return np.ascontiguousarray((voxels > 0).transpose(0, 2, 1)[:, :, ::-1])


def _sample_mesh(path: Path, count: int, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points on the faces, and the bounds of these."""
    import trimesh  # takes most of a second, and comes with MMDetection3D

    try:
        # Only geometry: no image named by a material is opened.
        mesh = trimesh.load(path, force='mesh', process=False, skip_materials=True)
        corners = np.asarray(mesh.triangles, dtype=np.float64).reshape(-1, 3)
    except Exception as error:  # its readers raise whatever they meet
        raise ValueError(f'{path} is no readable mesh ({type(error).__name__}: {error})') from error
    if not len(corners) or not np.isfinite(corners).all() or not mesh.area > 0:
        raise ValueError(f'{path} has no surface: {len(corners) // 3} faces')
    points, _ = trimesh.sample.sample_surface(mesh, count, seed=rng)
    return np.asarray(points), corners.min(axis=0), corners.max(axis=0)


def _sample_voxels(
    path: Path, grid: VoxelGrid, count: int, rng: np.random.Generator
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points on the voxels' surface in the mesh's units, and the bounds of the occupied ones."""
    if not grid.occupied.any():
        raise ValueError(f'{path} has no occupied voxel')
    step, origin = grid.scale / grid.occupied.shape[0], np.asarray(grid.translate)
    cells = np.argwhere(grid.occupied)
    points = sample_voxel_surface(grid.occupied, count, rng) * step + origin
    return points, cells.min(axis=0) * step + origin, (cells.max(axis=0) + 1) * step + origin
