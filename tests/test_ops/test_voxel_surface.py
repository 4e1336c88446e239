"""The mesh of the surface of voxels and points on it, against the faces found by a loop."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from mmfusion_plugin.ops.voxel_surface import sample_voxel_surface, voxel_mesh


def faces(grid: np.ndarray) -> list:
    """Axis, position along it, and the lower corner of each face between occupied and free."""
    found = []
    for cell in np.ndindex(grid.shape):
        for axis in range(3):
            for side in (0, 1):
                other = list(cell)
                other[axis] += 2 * side - 1
                inside = all(0 <= i < n for i, n in zip(other, grid.shape))
                if grid[cell] and not (inside and grid[tuple(other)]):
                    rest = tuple(np.delete(cell, axis))
                    found.append((axis, cell[axis] + side, rest))
    return found


@pytest.mark.parametrize('share', [0.02, 0.5, 1.0, 0.0])
def test_mesh_is_closed_and_holds_the_voxels(share):
    grid = np.random.default_rng(0).random((6, 5, 7)) < share
    corners, squares = voxel_mesh(grid)
    assert len(squares) == len(faces(grid)) and len(np.unique(corners, axis=0)) == len(corners)
    edges = Counter((a, b) for face in squares.tolist() for a, b in zip(face, face[1:] + face[:1]))
    assert all(edges[b, a] == count for (a, b), count in edges.items())
    # By the divergence theorem, from the faces' middles and normals: inside is where the voxels are.
    one, two, three, four = (corners[squares[:, number]] for number in range(4))
    normals = np.cross(two - one, four - one)
    middles = (one + three) / 2
    assert (middles * normals).sum() / 3 == pytest.approx(grid.sum())
    np.testing.assert_allclose((middles**2 * normals).sum(0) / 2, (np.argwhere(grid) + 0.5).sum(0))


def test_points_lie_evenly_on_all_faces():
    grid = np.random.default_rng(3).random((3, 4, 5)) < 0.5
    points = sample_voxel_surface(grid, 12_000, np.random.default_rng(0))
    assert points.shape == (12_000, 3)
    table = {face: 0 for face in faces(grid)}
    for point in points:
        (axis,) = np.flatnonzero(point == np.round(point))
        table[int(axis), int(point[axis]), tuple(np.delete(np.floor(point).astype(int), axis))] += 1
    assert len(table) == len(faces(grid)), 'a point lies on no face'
    assert chisquare(list(table.values())).pvalue > 1e-4
    inner = points[points[:, 0] != np.round(points[:, 0]), 0] % 1
    assert abs(inner.mean() - 0.5) < 0.02


def test_shape_at_the_border_is_closed_there():
    points = sample_voxel_surface(np.ones((2, 2, 2), bool), 600, np.random.default_rng(0))
    on_side = (points == 0) | (points == 2)
    assert (on_side.sum(axis=1) == 1).all() and points.min() == 0 and points.max() == 2
    assert {(int(a), float(p[a])) for p, a in zip(points, on_side.argmax(axis=1))} == {
        (axis, end) for axis in range(3) for end in (0.0, 2.0)
    }


@pytest.mark.parametrize('grid', [np.zeros((3, 3, 3), bool), np.ones((3, 3), bool)])
def test_nothing_to_sample(grid):
    with pytest.raises(ValueError, match='at least one occupied voxel'):
        sample_voxel_surface(grid, 5, np.random.default_rng(0))
