"""A shape in ShapeNet's pose and size, points on its surface, and its voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

import numpy as np
from scipy.ndimage import binary_fill_holes

from mmfusion_plugin.converters.binvox import VoxelGrid
from mmfusion_plugin.converters.shapenet_taxonomy import Category
from mmfusion_plugin.synthetic.meshes import Mesh, merge
from mmfusion_plugin.synthetic.shapenet_builders import BUILDERS
from mmfusion_plugin.synthetic.shapenet_solids import Dice

VOXELS = 32
# Points that find the voxels of a surface: more than 20 for each of the 1500 or so that a model's surface meets.
_PROBES = 50_000
# Points may be this deep (of a size of 1) inside another solid and still count as surface.
_DEPTH = 1e-5


@dataclass(frozen=True, eq=False)
class Shape:
    """A union of convex solids.

    The pose is that of ShapeNetCore v1, y up and x forward, whose renderings show a model from behind at azimuth 180;
    the bounding box is centred on the origin and its diagonal is 1, the size at which 3D-R2N2's cameras see all of it.

    Attributes:
        parts: The solids, closed, with their faces outwards.
        mesh: All of them as one mesh.
    """

    parts: List[Mesh]
    mesh: Mesh


def draw_shape(category: Category, rng: np.random.Generator) -> Shape:
    """A shape of a category."""
    parts = BUILDERS[category.name](Dice(rng))
    low, high = merge(parts).bounds
    size = np.linalg.norm(high - low)
    placed = []
    for part in parts:
        x, y, z = ((part.vertices - (low + high) / 2) / size).T
        placed.append(Mesh(np.stack([x, z, -y], axis=1), part.faces, part.material, part.colour, part.label))
    return Shape(placed, merge(placed))


def sample_cloud(shape: Shape, count: int, rng: np.random.Generator) -> np.ndarray:
    """``(count, 3)`` float32 points, evenly spread over the surface of the union: none lies within a solid."""
    points = np.zeros((0, 3))
    while len(points) < count:
        drawn = _on_faces(shape.mesh, 2 * count, rng)
        points = np.concatenate([points, drawn[~within(shape, drawn)]])
    return points[:count].astype(np.float32)


def within(shape: Shape, points: np.ndarray) -> np.ndarray:
    """``(N,)`` bool: which ``points (N, 3)`` lie inside one of the solids, deeper than rounding errors."""
    hidden = np.zeros(len(points), dtype=bool)
    for part in shape.parts:
        low, high = part.bounds
        near = np.flatnonzero(((points > low) & (points < high)).all(axis=1))
        if len(near):
            corner = part.vertices[part.faces]
            normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
            length = np.linalg.norm(normal, axis=1)
            normal = normal[length > 1e-12] / length[length > 1e-12, None]
            level = (normal * corner[length > 1e-12, 0]).sum(axis=1)
            hidden[near] |= (points[near] @ normal.T - level).max(axis=1) < -_DEPTH
    return hidden


def _on_faces(mesh: Mesh, count: int, rng: np.random.Generator) -> np.ndarray:
    """``(count, 3)`` points, evenly spread over all faces."""
    corner = mesh.vertices[mesh.faces]
    first, second = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = np.cumsum(np.linalg.norm(np.cross(first, second), axis=1))
    face = np.searchsorted(area, rng.random(count) * area[-1], side='right').clip(0, len(area) - 1)
    along, across = rng.random((2, count, 1))
    beyond = along + across > 1
    along, across = np.where(beyond, 1 - along, along), np.where(beyond, 1 - across, across)
    return corner[face, 0] + along * first[face] + across * second[face]


def voxelise(shape: Shape, cloud: np.ndarray, rng: np.random.Generator) -> VoxelGrid:
    """The shape as 32^3 solid voxels; its longest side spans the cube.

    Args:
        shape: What to voxelise.
        cloud: ``(N, 3)`` points of its surface, whose voxels are occupied in any case.
        rng: Draws the points that find the others.
    """
    low, high = shape.mesh.bounds
    side = float((high - low).max())
    corner = -side / 2
    grid = VoxelGrid(np.zeros((VOXELS, VOXELS, VOXELS), dtype=bool), (corner, corner, corner), side)
    cells = grid.cells(np.concatenate([cloud, _on_faces(shape.mesh, _PROBES, rng)]))
    grid.occupied[tuple(cells.T)] = True
    return VoxelGrid(binary_fill_holes(grid.occupied), grid.translate, grid.scale)
