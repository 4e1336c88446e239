"""True shapes of any kind of file as points in a model's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree
from shapenet_hand_world import CORNERS, TRIANGLES, binvox_bytes, surface_points, voxels, write_obj

from mmfusion_plugin.apis.true_shapes import TrueShapes
from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import Photograph

CLOUD = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def near(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance both ways."""
    return cKDTree(found).query(expected)[0].mean() + cKDTree(expected).query(found)[0].mean()


@pytest.mark.parametrize('suffix', ['.npy', '.ply'])
def test_clouds_are_taken_as_they_are(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    np.save(path, CLOUD) if suffix == '.npy' else trimesh.PointCloud(CLOUD).export(path)
    np.testing.assert_array_equal(TrueShapes(path).read(path, 7), CLOUD)
    turned = TrueShapes(path, 'lmnet_upright').read(path, 7)
    np.testing.assert_array_equal(turned, np.stack([CLOUD[:, 1], -CLOUD[:, 0], CLOUD[:, 2]], 1))


@pytest.mark.parametrize('suffix', ['.obj', '.ply', '.off', '.stl'])
def test_meshes_are_sampled(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    if suffix == '.obj':
        write_obj(path)
    else:
        trimesh.Trimesh(CORNERS, TRIANGLES, process=False).export(path)
    dense = surface_points(4000)
    found = TrueShapes(path, normalize='none').read(path, 2000)
    assert found.shape == (2000, 3) and found.dtype == np.float32 and near(found, dense) < 0.1
    low, high = CORNERS.min(0), CORNERS.max(0)
    expected = (dense - (low + high) / 2) / np.linalg.norm(high - low)
    assert near(TrueShapes(path).read(path, 2000), expected) < 0.03
    np.testing.assert_array_equal(TrueShapes(path).read(path, 9), TrueShapes(path).read(path, 9))


def test_voxels_are_sampled(tmp_path):
    path = tmp_path / 'a.binvox'
    path.write_bytes(binvox_bytes(voxels('x')))
    found = TrueShapes(path).read(path, 500)
    assert found.shape == (500, 3) and 0.95 < np.linalg.norm(np.ptp(found, axis=0)) <= 1.0001


def test_shapes_are_found_by_name(tmp_path):
    for name in ('a.npy', 'a.obj', 'deep/b.obj'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos = [Photograph(Path(f'{name}.png'), name) for name in ('a', 'deep/b', 'c')]
    shapes = TrueShapes(tmp_path)
    assert [shapes.find(photo) for photo in photos[:2]] == [tmp_path / 'a.npy', tmp_path / 'deep/b.obj']
    with pytest.raises(CorruptDataError, match='c.png has no true shape in .*: need c with one of .npy'):
        shapes.find(photos[2])
    assert TrueShapes().find(photos[2]) is None
    assert TrueShapes(tmp_path / 'a.obj').find(photos[2]) == tmp_path / 'a.obj'


def test_clear_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match='no true shape'):
        TrueShapes(tmp_path / 'none.npy')
    (tmp_path / 'a.txt').touch()
    with pytest.raises(ValueError, match='a.txt is no shape: need one of .npy'):
        TrueShapes(tmp_path / 'a.txt')
    with pytest.raises(ValueError, match='is no turn'):
        TrueShapes(None, 'x,x,x')
    for name, content in (('a.npy', b'x'), ('a.ply', b'ply\nx'), ('a.obj', b'v 0 0 0'), ('a.binvox', b'x')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptDataError, match=name):
            TrueShapes(tmp_path / name).read(tmp_path / name, 5)
    np.save(tmp_path / 'b.npy', np.full((3, 3), np.nan))
    with pytest.raises(CorruptDataError, match='b.npy'):
        TrueShapes(tmp_path / 'b.npy').read(tmp_path / 'b.npy', 5)


def test_results_do_not_lie_over_true_shapes(tmp_path):
    """Neither over one that is there nor where the next run would find a result and take it for one."""
    (tmp_path / 'truths/deep').mkdir(parents=True)
    (tmp_path / 'alias').symlink_to(tmp_path / 'truths')
    np.save(tmp_path / 'truths/deep/a.npy', CLOUD)
    photos = [Photograph(Path(f'photos/{name}.png'), name) for name in ('deep/a', 'b')]
    one, folder = TrueShapes(tmp_path / 'truths/deep/a.npy'), TrueShapes(tmp_path / 'truths')
    for truths, some, out in ((folder, photos, 'truths'), (folder, photos[1:], 'truths'), (folder, photos, 'alias'),
                              (one, [Photograph(Path('a.png'), 'a')], 'alias/deep')):  # fmt: skip
        with pytest.raises(ValueError, match='is the place of a true shape .--truth.*choose another --out'):
            truths.keep_from(some, tmp_path / out, ['.npy', '.ply'])
    twins = [Photograph(Path(f'{name}.png'), name) for name in ('c', 'c_samples')]
    with pytest.raises(ValueError, match='c_samples.npy is the place'):
        folder.keep_from(twins, tmp_path / 'truths', ['_samples.npy'])
    for truths in (one, folder, TrueShapes()):
        truths.keep_from(photos, tmp_path / 'out', ['.npy', '.ply'])
    one.keep_from([Photograph(Path('b.png'), 'b')], tmp_path / 'truths/deep', ['.npy'])
