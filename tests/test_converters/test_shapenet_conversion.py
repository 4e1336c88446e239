"""``tools/create_data.py shapenet``: what is missing, and clouds where none are published."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from shapenet_hand_world import (
    CHAIR,
    MODELS,
    PLANE,
    VIEWS,
    binvox_bytes,
    make_shapenet,
    points,
    surface_points,
    write_obj,
)

from mmfusion_plugin.converters import cloud_jobs
from mmfusion_plugin.converters.cloud_jobs import CloudRecipe
from mmfusion_plugin.converters.shapenet import create_shapenet

NAMES = [f'{synset}/{model}' for synset, models in MODELS.items() for model in models]


def create(root: Path, **options: object) -> dict:
    return json.loads(create_shapenet(root, views=VIEWS, **options).read_text())


def cloud(root: Path, name: str, size: int = 1024) -> Path:
    return root / f'ShapeNet_pointclouds/{name}/pointcloud_{size}.npy'


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    """ShapeNetCore v1 with one solid for all models."""
    for name in NAMES:
        write_obj(tmp_path / 'core' / name / 'model.obj')
    return tmp_path / 'core'


def test_complete_tree(tmp_path, capsys):
    manifest = create(make_shapenet(tmp_path))
    assert manifest['splits'] == {
        'lmnet': {'train': {'models': 3, 'complete': 3}, 'val': {'models': 2, 'complete': 2}},
        'cisp': {'train': {'models': 2, 'complete': 2}, 'val': {'models': 1, 'complete': 1},
                 'test': {'models': 2, 'complete': 2}},
    }  # fmt: skip
    chair = next(row for row in manifest['categories'] if row['synset'] == CHAIR)
    kinds = ('models', 'renderings', 'viewpoints', 'voxels', 'points_1024', 'points_2048')
    assert chair['category'] == 'chair' and [chair[kind] for kind in kinds] == [3] * 6
    assert manifest['clouds'] == {'published': 5, 'sampled': 0, 'turn': None}
    assert manifest['missing'] == {} and manifest['faults'] == []
    assert '5 of 5 models are complete, 0 files are faulty' in capsys.readouterr().out


def test_everything_missing_or_empty_is_named(tmp_path):
    root = make_shapenet(tmp_path)
    first, second, third = (f'{CHAIR}/{model}' for model in MODELS[CHAIR])
    rendering = root / 'ShapeNetRendering'
    (rendering / first / 'rendering/01.png').unlink()
    (rendering / first / 'rendering/rendering_metadata.txt').unlink()
    cloud(root, first, 2048).unlink()
    (root / 'ShapeNetVox32' / second / 'model.binvox').write_bytes(b'')
    (rendering / third / 'rendering/rendering_metadata.txt').write_text('1 2 3 4 5\n')
    (rendering / f'{PLANE}/5e/rendering/rendering_metadata.txt').write_text('1 2 3 x 5\n')
    manifest = create(root, workers=2)
    assert manifest['missing'] == {
        first: {'renderings': ['01.png'], 'viewpoints': ['rendering_metadata.txt'],
                'points_2048': ['pointcloud_2048.npy']}
    }  # fmt: skip
    assert len(manifest['faults']) == 3
    for fault, words in zip(sorted(manifest['faults']), ('/5e/.*line 1: need azimuth', '/3c/.*has 1 lines for 3',
                                                         'ShapeNetVox32/.*is empty')):  # fmt: skip
        assert re.search(words, fault)
    assert manifest['splits']['lmnet']['train'] == {'models': 3, 'complete': 1}
    assert create(root, categories=['airplane'])['splits']['cisp']['test'] == {'models': 1, 'complete': 1}


def test_clouds_from_meshes(tmp_path, meshes, monkeypatch):
    root = make_shapenet(tmp_path / 'a', clouds=False)
    manifest = create(root, mesh_dir=meshes)
    assert manifest['clouds'] == {'published': 0, 'sampled': 5, 'turn': None} and manifest['missing'] == {}
    small, large = (np.load(cloud(root, NAMES[0], size)) for size in (1024, 2048))
    assert large.dtype == np.float32 and large.shape == (2048, 3)
    np.testing.assert_array_equal(small, large[:1024])
    reference = surface_points(4000)
    low, high = reference.min(axis=0), reference.max(axis=0)
    reference = (reference - (low + high) / 2) / np.linalg.norm(high - low)
    assert cKDTree(reference).query(large)[0].max() < 0.05
    assert (np.load(cloud(root, NAMES[1])) != small).any(), 'each model has its own points'
    # The same for any number of processes, and once more nothing is done.
    other = make_shapenet(tmp_path / 'b', clouds=False)
    create(other, mesh_dir=meshes, workers=2)
    assert all(cloud(root, name).read_bytes() == cloud(other, name).read_bytes() for name in NAMES)
    monkeypatch.setattr(cloud_jobs, 'sample_job', lambda *_: pytest.fail('was done before'))
    assert create(root, mesh_dir=meshes)['clouds']['sampled'] == 5


def test_another_seed_and_an_interrupted_run(tmp_path, meshes, capsys):
    root = make_shapenet(tmp_path / 'a', clouds=False)
    create(root, mesh_dir=meshes)
    before = cloud(root, NAMES[2]).read_bytes()
    cloud(root, NAMES[2]).unlink()
    create(root, mesh_dir=meshes)
    assert cloud(root, NAMES[2]).read_bytes() == before and '4 of 5 models have their clouds' in capsys.readouterr().out
    create(root, mesh_dir=meshes, recipe=CloudRecipe(seed=1))
    assert cloud(root, NAMES[2]).read_bytes() != before


def test_published_clouds_stay_and_set_the_frame(tmp_path, meshes, capsys):
    """(x, y, z) -> (-y, x, z), as 3D-LMNet's are believed to be; the two sampled ones must be turned alike."""
    root = make_shapenet(tmp_path / 'a', clouds=False)
    x, y, z = surface_points(2048).T
    for name in NAMES[:3]:
        cloud(root, name).parent.mkdir(parents=True)
        for size in (1024, 2048):
            np.save(cloud(root, name, size), np.stack([-y, x, z], axis=1)[:size])
    cloud(root, NAMES[0], 1024).unlink()
    before = cloud(root, NAMES[0], 2048).read_bytes()
    manifest = create(root, mesh_dir=meshes)
    assert manifest['clouds']['turn']['turn'] == '-y,x,z' and manifest['clouds']['turn']['margin'] > 1.2
    assert (manifest['clouds']['published'], manifest['clouds']['sampled']) == (3, 3) and not manifest['missing']
    assert "cloud_frame='y,-x,z' turns them back" in capsys.readouterr().out
    assert cloud(root, NAMES[0], 2048).read_bytes() == before, 'published clouds are never touched'
    create(root, mesh_dir=meshes, recipe=CloudRecipe(seed=3))
    assert cloud(root, NAMES[0], 2048).read_bytes() == before
    sizes = np.ptp(np.load(cloud(root, NAMES[4])), axis=0)
    np.testing.assert_allclose(sizes / np.linalg.norm(sizes), np.array([2, 3, 1]) / 14**0.5, atol=0.02)


def test_clouds_unpacked_over_sampled_ones_are_not_ours(tmp_path, meshes, monkeypatch):
    """The note stays beside them, but says of another content."""
    root = make_shapenet(tmp_path / 'a', clouds=False)
    create(root, mesh_dir=meshes, sizes=(64, 128))
    for name in NAMES:
        np.save(cloud(root, name, 64), np.load(cloud(root, name, 64))[::-1])
    before = {name: cloud(root, name, 64).read_bytes() for name in NAMES}
    other = cloud(root, NAMES[0], 128).read_bytes()
    manifest = create(root, mesh_dir=meshes, sizes=(64, 128), recipe=CloudRecipe(seed=1))
    assert {name: cloud(root, name, 64).read_bytes() for name in NAMES} == before
    assert cloud(root, NAMES[0], 128).read_bytes() != other, 'that one is ours, and made anew'
    assert manifest['clouds']['published'] == 5 and manifest['clouds']['turn']['turn'] == 'x,y,z'
    for name in NAMES:
        np.save(cloud(root, name, 128), np.ones((128, 3)))
    assert create(root, mesh_dir=meshes, sizes=(64, 128))['clouds']['sampled'] == 0
    assert (np.load(cloud(root, NAMES[4], 128)) == 1).all()


def test_clouds_of_an_interrupted_second_recipe_are_ours(tmp_path, meshes, monkeypatch):
    root = make_shapenet(tmp_path / 'a', clouds=False)
    create(root, mesh_dir=meshes, sizes=(64, 128))
    write, small = cloud_jobs.write_bytes, cloud(root, NAMES[0], 64)

    def stop(path, content):
        if path.name == 'pointcloud_128.npy':
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(cloud_jobs, 'write_bytes', stop)
    with pytest.raises(KeyboardInterrupt):
        create(root, mesh_dir=meshes, sizes=(64, 128), recipe=CloudRecipe(seed=1))
    monkeypatch.undo()
    create(root, mesh_dir=meshes, sizes=(64, 128), recipe=CloudRecipe(seed=1))
    np.testing.assert_array_equal(np.load(small), np.load(cloud(root, NAMES[0], 128))[:64])


def test_frame_that_cannot_be_told(tmp_path, meshes):
    root = make_shapenet(tmp_path / 'a', clouds=False)
    cloud(root, NAMES[0]).parent.mkdir(parents=True)
    np.save(cloud(root, NAMES[0]), points('noise', 1024))
    before = sorted(root.rglob('*.npy'))
    with pytest.raises(ValueError, match='unclear which way they are turned.*fits only'):
        create(root, mesh_dir=meshes)
    (meshes / NAMES[0] / 'model.obj').unlink()
    with pytest.raises(ValueError, match='no model has both a published cloud and a mesh'):
        create(root, mesh_dir=meshes)
    assert sorted(root.rglob('*.npy')) == before


def test_second_version_of_shapenetcore_is_turned(tmp_path):
    root = make_shapenet(tmp_path / 'a', clouds=False)
    write_obj(tmp_path / 'core' / NAMES[0] / 'models/model_normalized.obj')
    manifest = create(root, mesh_dir=tmp_path / 'core')
    assert manifest['clouds']['sampled'] == 1 and len(manifest['missing']) == 4
    sizes = np.ptp(np.load(cloud(root, NAMES[0])), axis=0)  # 3, 2, 1 along x, y, z of the file
    np.testing.assert_allclose(sizes / np.linalg.norm(sizes), np.array([1, 2, 3]) / 14**0.5, atol=0.02)


def test_voxels_where_there_is_no_mesh_and_faults(tmp_path, meshes):
    root = make_shapenet(tmp_path / 'a', clouds=False)
    for name in NAMES[:2]:
        (meshes / name / 'model.obj').unlink()
    (meshes / NAMES[2] / 'model.obj').write_text('v 0 0 0\n')
    (root / 'ShapeNetVox32' / NAMES[1] / 'model.binvox').write_bytes(binvox_bytes(np.zeros((32, 32, 32), bool)))
    manifest = create(root, mesh_dir=meshes, from_voxels=True, sizes=(256,))
    assert manifest['clouds']['sampled'] == 3 and sorted(manifest['missing']) == sorted([NAMES[1], NAMES[2]])
    assert len(manifest['faults']) == 2
    assert any('no occupied voxel' in fault for fault in manifest['faults'])
    assert any(f'{NAMES[2]}: ' in fault for fault in manifest['faults'])
    assert np.load(cloud(root, NAMES[0], 256)).shape == (256, 3)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere is not a folder: correct --root-path'):
        create(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='holds no split: put train_models.json'):
        create(tmp_path / 'empty')
    root = make_shapenet(tmp_path / 'a')
    with pytest.raises(FileNotFoundError, match='correct --mesh-dir'):
        create(root, mesh_dir=tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='at least one point'):
        create(root, sizes=())
    (tmp_path / 'empty/ShapeNet.json').write_text((root / 'ShapeNet.json').read_text())
    with pytest.raises(ValueError, match='no file of the 5 models'):
        create(tmp_path / 'empty')
    (tmp_path / 'empty/ShapeNet.json').write_text('[{"taxonomy_id": "03001627", "train": [], "val": [], "test": []}]')
    with pytest.raises(ValueError, match='name no model'):
        create(tmp_path / 'empty')


def test_models_in_two_parts_are_told(tmp_path, capsys):
    root = make_shapenet(tmp_path)
    (root / 'splits/val_models.json').write_text(json.dumps({CHAIR: [f'{CHAIR}/u2f', f'{CHAIR}/3c']}))
    assert create(root)['in_two_parts'] == {'lmnet': [f'{CHAIR}/u2f'], 'cisp': []}
    assert 'warning: 1 models are in two parts of the lmnet split' in capsys.readouterr().out


def test_command_line(tmp_path, repo_root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))  # as where python runs a script
    main = runpy.run_path(str(repo_root / 'tools/create_data.py'))['main']
    root = make_shapenet(tmp_path, clouds=False)
    arguments = ['create_data.py', 'shapenet', '--root-path', str(root), '--views', str(VIEWS)]
    monkeypatch.setattr(sys, 'argv', [*arguments, '--from-voxels', '--num-points', '128'])
    assert main() == 0 and len(list(root.rglob('pointcloud_128.npy'))) == 5
    monkeypatch.setattr(sys, 'argv', [*arguments, '--categories', 'teapot'])
    assert main() == 1 and capsys.readouterr().err.startswith("error: category 'teapot' is unknown")
