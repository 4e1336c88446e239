"""``pix3d.json`` entry by entry, and ``tools/create_data.py pix3d``."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from shapenet_hand_world import make_pix3d, photographs

from mmfusion_plugin.converters.cloud_jobs import CloudRecipe
from mmfusion_plugin.converters.pix3d import create_pix3d
from mmfusion_plugin.converters.pix3d_files import read_entries


def rewrite(root: Path, **changes: object) -> Path:
    """``pix3d.json`` with some keys of its second entry changed (those that are None left out)."""
    rows = photographs()
    rows[1] = {key: value for key, value in {**rows[1], **changes}.items() if value is not None}
    (root / 'pix3d.json').write_text(json.dumps(rows))
    return root / 'pix3d.json'


def test_entries(tmp_path):
    entries = read_entries(rewrite(tmp_path))
    assert [entry.number for entry in entries] == [0, 1, 2, 3, 4, 5]
    assert [set(entry.flags) for entry in entries] == [set(), {'slightly_occluded'}, set(), {'occluded'}, set(), set()]
    assert entries[0].bbox == (12, 5, 52, 30) and entries[0].synset == '03001627'
    assert [entry.model_id for entry in entries[1:3]] == ['chair/IKEA_A/model', 'chair/OTHER/model_2']
    assert entries[0].cloud(1024) == 'model/chair/IKEA_A/pcl_1024.npy'
    assert entries[2].cloud(2048) == 'model/chair/OTHER/pcl_2048_2.npy'
    bed = read_entries(tmp_path / 'pix3d.json', None)[-1]
    assert bed.cloud(1024) == 'model/bed/B/pcl_1024_malm_bed.npy' and bed.synset is None
    assert len(read_entries(tmp_path / 'pix3d.json', ['sofa'])) == 2


@pytest.mark.parametrize(('changes', 'message'), [
    ({'truncated': 'yes'}, "entry 1: truncated must be true or false, got 'yes'"),
    ({'occluded': 1}, 'entry 1: occluded must be true or false, got 1'),
    ({'bbox': [1, 2, 3]}, r'entry 1 \(img/chair/0001.jpg\): bbox must be \[x0, y0, x1, y1\]'),
    ({'bbox': [9, 2, 9, 5]}, 'bbox must be'),
    ({'bbox': ['1', '2', '3', '4']}, 'bbox must be'),
    ({'mask': None}, "entry 1: 'mask' must be text, got None"),
    ({'img': 'img/../../secret.jpg'}, 'entry 1: img is .*need a path such as img/chair'),
    ({'model': '/model/chair.obj'}, 'entry 1: model is'),
    ({'category': 7}, "entry 1: 'category' must be text, got 7"),
])  # fmt: skip
def test_damaged_entry(tmp_path, changes, message):
    path = rewrite(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as error:
        read_entries(path)
    assert str(path) in str(error.value)


def test_no_list(tmp_path):
    with pytest.raises(FileNotFoundError, match='pix3d.json not found'):
        read_entries(tmp_path / 'pix3d.json')
    path = rewrite(tmp_path)
    with pytest.raises(ValueError, match=r"no photograph of category \['desk'\], but bed, chair, sofa, table"):
        read_entries(path, ['chair', 'desk'])
    path.write_text(path.read_text()[:300])
    with pytest.raises(ValueError, match='breaks off or is damaged'):
        read_entries(path)


def test_complete_tree(tmp_path, capsys):
    manifest = json.loads(create_pix3d(make_pix3d(tmp_path)).read_text())
    assert manifest['categories']['chair'] == {
        'photographs': 3, 'seen_in_full': 2, 'truncated': 0, 'occluded': 0, 'slightly_occluded': 1, 'models': 2
    }  # fmt: skip
    assert manifest['missing'] == {'img': [], 'mask': [], 'clouds': []} and manifest['faults'] == []
    assert manifest['clouds'] == {'sampled': 0, 'models': 4} and 'chair: 3 photographs' in capsys.readouterr().out


def test_missing_files_and_sampled_clouds(tmp_path):
    root = make_pix3d(tmp_path, clouds=False)
    (root / 'img/sofa/0003.jpg').unlink()
    (root / 'mask/table/0005.png').unlink()
    manifest = json.loads(create_pix3d(root).read_text())
    assert manifest['missing']['img'] == ['img/sofa/0003.jpg']
    assert manifest['missing']['mask'] == ['mask/table/0005.png']
    clouds = [f'{root}/pointclouds/model/{name}.npy' for name in
              ('chair/IKEA_A/pcl_1024', 'chair/OTHER/pcl_1024_2', 'sofa/S/pcl_1024', 'table/T/pcl_1024')]  # fmt: skip
    assert manifest['missing']['clouds'] == clouds
    # A mesh with voxels in its place, a damaged mesh with voxels, and a damaged one without.
    voxels = np.zeros((8, 8, 8), np.uint8)
    voxels[1:7, 2:4, 3:4] = 1  # 6 left, 2 out, 1 up
    for name in ('chair/OTHER', 'sofa/S'):
        savemat(root / f'model/{name}/voxel.mat', {'voxel': voxels})
    (root / 'model/chair/OTHER/model_2.obj').unlink()
    for name in ('sofa/S', 'table/T'):
        (root / f'model/{name}/model.obj').write_text('v 0 0\n')
    manifest = json.loads(create_pix3d(root, sample=True, workers=2).read_text())
    assert manifest['missing']['clouds'] == clouds[3:] and manifest['clouds']['sampled'] == 3
    assert len(manifest['faults']) == 2 and all('model.obj' in fault for fault in manifest['faults'])
    for path in clouds[1:3]:
        sizes = np.ptp(np.load(path), axis=0)
        np.testing.assert_allclose(sizes, np.array([6, 1, 2]) / 41**0.5, atol=1e-3)
    sizes = np.ptp(np.load(clouds[0]), axis=0)  # as the mesh has it
    np.testing.assert_allclose(sizes, np.array([3, 2, 1]) / 14**0.5, atol=0.03)


def test_clouds_unpacked_over_sampled_ones_stay(tmp_path):
    root = make_pix3d(tmp_path, clouds=False)
    assert json.loads(create_pix3d(root, sizes=(64,), sample=True).read_text())['clouds']['sampled'] == 4
    path = root / 'pointclouds/model/chair/OTHER/pcl_64_2.npy'
    np.save(path, np.ones((64, 3)))
    manifest = json.loads(create_pix3d(root, sizes=(64,), sample=True, recipe=CloudRecipe(seed=1)).read_text())
    assert manifest['clouds']['sampled'] == 3 and (np.load(path) == 1).all()


def test_command_line(tmp_path, repo_root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))  # as where python runs a script
    main = runpy.run_path(str(repo_root / 'tools/create_data.py'))['main']
    root = make_pix3d(tmp_path / 'pix3d', clouds=False)
    arguments = ['create_data.py', 'pix3d', '--root-path', str(root)]
    monkeypatch.setattr(sys, 'argv', [*arguments, '--sample', '--num-points', '64', '--cloud-dir', str(tmp_path / 'c')])
    assert main() == 0 and len(list((tmp_path / 'c').rglob('pcl_64*.npy'))) == 4
    (root / 'pix3d.json').unlink()
    monkeypatch.setattr(sys, 'argv', arguments)
    assert main() == 1 and 'unpack pix3d.zip' in capsys.readouterr().err
