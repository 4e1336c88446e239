"""Points on the surface of voxels, against the faces found by a loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from mmfusion_plugin.ops.voxel_surface import sample_voxel_surface


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
