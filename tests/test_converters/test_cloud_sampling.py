"""Clouds of meshes and voxels: on the surface, evenly, in the right place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.stats import chisquare
from shapenet_hand_world import CORNERS, TRIANGLES, binvox_bytes, voxels, write_obj

from mmfusion_plugin.converters.cloud_sampling import read_voxel_mat, sample_file


def sample(path: Path, count: int = 1000, normalize: str = 'none') -> np.ndarray:
    return sample_file(path, count, np.random.default_rng(0), normalize)


def faces_of(points: np.ndarray) -> np.ndarray:
    """Number of the triangle of the solid that each point lies on, by barycentric coordinates."""
    out = np.full(len(points), -1)
    for number, (a, b, c) in enumerate(CORNERS[TRIANGLES]):
        weights = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), (points - a).T, rcond=None)[0].T
        near = np.abs(a + weights @ np.stack([b - a, c - a]) - points).max(axis=1) < 1e-5
        out[near & (weights > -1e-5).all(axis=1) & (weights.sum(axis=1) < 1 + 1e-5)] = number
    return out


def test_mesh_is_sampled_evenly(tmp_path):
    write_obj(tmp_path / 'model.obj')
    points = sample(tmp_path / 'model.obj', 20_000)
    assert points.dtype == np.float32 and points.shape == (20_000, 3)
    faces = faces_of(points.astype(float))
    assert (faces >= 0).all(), 'a point lies on no triangle'
    a, b, c = CORNERS[TRIANGLES].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    counts = np.bincount(faces, minlength=len(area))
    assert chisquare(counts, 20_000 * area / area.sum()).pvalue > 1e-4
    assert abs(faces[:500].mean() - faces.mean()) < 1, 'in no order'


def test_diagonal(tmp_path):
    write_obj(tmp_path / 'model.obj', 7 * CORNERS + [100, 0, -3])
    plain = sample(tmp_path / 'model.obj', 300, 'none').astype(float)
    low, high = 7 * CORNERS.min(axis=0) + [100, 0, -3], 7 * CORNERS.max(axis=0) + [100, 0, -3]
    expected = (plain - (low + high) / 2) / np.linalg.norm(high - low)
    np.testing.assert_allclose(sample(tmp_path / 'model.obj', 300, 'diagonal'), expected, atol=1e-5)


def test_voxels_are_where_their_header_says(tmp_path):
    grid = voxels('x')
    (tmp_path / 'model.binvox').write_bytes(binvox_bytes(grid).replace(b'scale 1', b'scale 2'))
    points = (sample(tmp_path / 'model.binvox', 4000).astype(float) + 0.5) / 2 * 32
    axis = np.abs(points - np.round(points)).argmin(axis=1)  # across the face
    cells = np.floor(points).astype(int)
    at = np.round(points[np.arange(4000), axis]).astype(int)
    assert np.abs(points[np.arange(4000), axis] - at).max() < 1e-4
    below, above = cells.copy(), cells.copy()
    below[np.arange(4000), axis], above[np.arange(4000), axis] = at - 1, at
    assert (grid[tuple(below.T)] != grid[tuple(above.T)]).all(), 'between an occupied voxel and a free one'
    cells = np.argwhere(grid)
    low, high = cells.min(axis=0), cells.max(axis=0) + 1
    unit = sample(tmp_path / 'model.binvox', 4000, 'diagonal').astype(float)
    np.testing.assert_allclose(unit, (points - (low + high) / 2) / np.linalg.norm(high - low), atol=1e-4)


def test_voxels_of_pix3d_are_turned(tmp_path):
    stored = np.random.default_rng(0).random((5, 5, 5)) < 0.3  # left, out, up
    savemat(tmp_path / 'voxel.mat', {'voxel': stored.astype(np.uint8), 'other': 1})
    expected = np.zeros((5, 5, 5), bool)  # left, up, in
    for left, out, up in np.argwhere(stored):
        expected[left, up, 4 - out] = True
    np.testing.assert_array_equal(read_voxel_mat(tmp_path / 'voxel.mat'), expected)
    points = sample(tmp_path / 'voxel.mat')
    assert points.shape == (1000, 3) and points.min() >= 0 and points.max() <= 1


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('model.obj', b'v 0 0 0\nv 1 0 0\nv 0 1 0\n', 'no surface|no readable mesh'),
    ('model.obj', b'v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n', 'no surface'),
    ('model.obj', b'v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n', 'no surface|no readable mesh'),
    ('model.obj', b'\x00\xff\xfe junk', 'no surface|no readable mesh'),
    ('model.ply', b'ply\n', 'no readable mesh'),
    ('model.binvox', b'#binvox 1\n', 'no binvox'),
    ('model.binvox', binvox_bytes(np.zeros((32, 32, 32), bool)), 'no occupied voxel'),
    ('voxel.mat', b'MATLAB', 'no .mat file'),
    ('model.txt', b'', 'is no mesh'),
])  # fmt: skip
def test_damaged_source(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        sample(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_wrong_voxel_mat(tmp_path):
    for value in (np.ones((2, 3, 2)), np.array(['text'])):
        savemat(tmp_path / 'voxel.mat', {'voxel': value})
        with pytest.raises(ValueError, match='must be a cube of numbers'):
            read_voxel_mat(tmp_path / 'voxel.mat')
    with pytest.raises(FileNotFoundError, match='none.obj'):
        sample(tmp_path / 'none.obj')
    with pytest.raises(ValueError, match="'diagonal' or 'none', got 'unit'"):
        sample(tmp_path / 'none.obj', normalize='unit')
