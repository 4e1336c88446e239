"""The conversion as a whole: splits, workers, interruption, and every fault named before work begins."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import sys
from pathlib import Path

import pytest
from nuscenes_hand_world import SCENES, make_world

from mmfusion_plugin.converters import nuscenes
from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos


@pytest.fixture
def world(tmp_path: Path, hand_world: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(hand_world, tmp_path / 'world'))


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_official_splits(hand_infos):
    scenes = {split: read(hand_infos / f'nuscenes_infos_{split}.json')['data_list'] for split in ('train', 'val')}
    assert [entry['scene_name'] for entry in scenes['train']] == ['scene-0001'] * 3 + ['scene-0002'] * 3
    assert [entry['scene_name'] for entry in scenes['val']] == ['scene-0003'] * 3
    for entries in scenes.values():
        assert [entry['sample_idx'] for entry in entries] == list(range(len(entries)))


def test_metainfo(hand_infos):
    metainfo = read(hand_infos / 'nuscenes_infos_train.json')['metainfo']
    assert metainfo['dataset'] == 'nuscenes' and metainfo['info_version'] == '1.1'
    assert metainfo['version'] == 'v1.0-trainval'
    assert [metainfo['categories'][name] for name in ('car', 'barrier', 'animal')] == [0, 9, -1]


def test_mini_version(tmp_path):
    files = create_nuscenes_infos(make_world(tmp_path / 'world', 'v1.0-mini'), tmp_path / 'out', 'v1.0-mini')
    names = [{entry['scene_name'] for entry in read(path)['data_list']} for path in files]
    assert names == [{name} for name in SCENES['v1.0-mini']]
    assert [read(path)['metainfo']['split'] for path in files] == ['mini_train', 'mini_val']


def test_any_number_of_workers_gives_the_same_bytes(hand_world, hand_infos, tmp_path):
    create_nuscenes_infos(hand_world, tmp_path, workers=2)
    for path in hand_infos.glob('*.json'):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_interrupted_run_resumes(hand_world, hand_infos, tmp_path, monkeypatch):
    convert, calls = nuscenes._convert_scene, []

    def stop_at_second(root, job):
        calls.append(job[0].name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return convert(root, job)

    monkeypatch.setattr(nuscenes, '_convert_scene', stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        create_nuscenes_infos(hand_world, tmp_path)
    assert not list(tmp_path.glob('*.json')), 'nothing half-written under a final name'
    create_nuscenes_infos(hand_world, tmp_path)
    assert len(calls) == 2 + 2, 'the finished scene is not converted again'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['nuscenes_infos_train.json', 'nuscenes_infos_val.json']
    for path in hand_infos.glob('*.json'):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_resuming_with_other_scenes_numbers_them_anew(world, tmp_path, monkeypatch):
    hidden = next((world / 'samples/CAM_FRONT').glob('scene-0001*'))
    content = hidden.read_bytes()
    hidden.unlink()
    monkeypatch.setattr(nuscenes, '_join', lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        create_nuscenes_infos(world, tmp_path / 'out', skip_missing_scenes=True)
    monkeypatch.undo()
    hidden.write_bytes(content)
    for path in create_nuscenes_infos(world, tmp_path / 'out'):
        entries = read(path)['data_list']
        assert [entry['sample_idx'] for entry in entries] == list(range(len(entries)))


def test_killed_worker_is_an_error(hand_world, tmp_path, monkeypatch):
    monkeypatch.setattr(nuscenes, '_convert_scene', kill_this_process)
    with pytest.raises(ChildProcessError, match='memory'):
        create_nuscenes_infos(hand_world, tmp_path, workers=2)


def kill_this_process(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_other_options_do_not_reuse_parts(hand_world, tmp_path, monkeypatch):
    monkeypatch.setattr(nuscenes, '_join', lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        create_nuscenes_infos(hand_world, tmp_path, max_sweeps=5)
    monkeypatch.undo()
    train, _ = create_nuscenes_infos(hand_world, tmp_path, max_sweeps=0)
    assert all(entry['lidar_sweeps'] == [] for entry in read(train)['data_list'])


def test_without_labels(world, tmp_path):
    (world / 'v1.0-trainval' / 'lidarseg.json').unlink()
    train, _ = create_nuscenes_infos(world, tmp_path / 'out', labels=False)
    assert 'pts_semantic_mask_path' not in read(train)['data_list'][0]


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (
            lambda w: (w / 'v1.0-trainval/lidarseg.json').unlink(),
            ['lidarseg.json', 'labels would be missing', 'no-labels'],
        ),
        (lambda w: (w / 'v1.0-trainval/ego_pose.json').unlink(), ['ego_pose.json', 'could not be projected']),
        (lambda w: (w / 'v1.0-trainval/ego_pose.json').write_text('[{"tok'), ['ego_pose.json', 'breaks off']),
        (lambda w: (w / 'v1.0-trainval').rename(w / 'v1.0-mini'), ['found v1.0-mini', '--version']),
        (lambda w: (w / 'v1.0-trainval').rename(w / 'tables'), ['no version lies there', '--root-path']),
        (lambda w: shutil.rmtree(w / 'samples/CAM_BACK'), ['samples/CAM_BACK', 'unpack']),
        (lambda w: shutil.rmtree(w / 'lidarseg'), ['lidarseg/v1.0-trainval']),
        (lambda w: next((w / 'samples/CAM_FRONT').iterdir()).unlink(), ['1 files of 1 scenes', 'CAM_FRONT__']),
        (lambda w: next((w / 'lidarseg/v1.0-trainval').iterdir()).unlink(), ['1 files of 1 scenes', '_lidarseg.bin']),
        (lambda w: shutil.rmtree(w / 'sweeps'), ['--max-sweeps 0']),
        (lambda w: cut(next((w / 'samples/LIDAR_TOP').iterdir()), 7), ['LIDAR_TOP', 'truncated']),
        (lambda w: cut(next((w / 'samples/LIDAR_TOP').iterdir()), 20), ['300 labels for the 299 points']),
        (lambda w: cut(next((w / 'lidarseg/v1.0-trainval').iterdir()), 1), ['299 labels for the 300 points']),
        (
            lambda w: edit(w, 'category', lambda rows: [r.pop('index') for r in rows]),
            ["no 'index'", 'lidarseg package'],
        ),
        (lambda w: edit(w, 'category', lambda rows: rows[3].update(index=2)), ['human.pedestrian.child', 'index 2']),
        (lambda w: edit(w, 'category', lambda rows: rows[3].update(name='elf', index=3)), ['elf']),
        (lambda w: edit(w, 'lidarseg', lambda rows: rows.pop()), ['lidarseg.json has no record']),
        (lambda w: edit(w, 'ego_pose', lambda rows: rows.clear()), ['ego_pose.json lacks']),
        (lambda w: edit(w, 'category', lambda rows: rows.pop(13)), ['category.json', 'each of 0..31 once']),
        (lambda w: edit(w, 'category', lambda rows: rows.append(rows[0])), ['category.json', 'each of 0..31 once']),
        (lambda w: edit(w, 'scene', lambda rows: rows[0].update(name='scene-x')), ["'scene-x'", 'splits.py']),
    ],
)
def test_faults_are_named_before_anything_is_written(world, tmp_path, damage, words):
    damage(world)
    with pytest.raises((FileNotFoundError, ValueError)) as error:
        create_nuscenes_infos(world, tmp_path / 'out')
    for word in words:
        assert word in str(error.value)
    assert not list((tmp_path / 'out').glob('*.json'))


@pytest.mark.parametrize(
    ('table', 'key', 'lacking'),
    [
        ('sample', 'scene_token', 'scene'),
        ('sample_data', 'calibrated_sensor_token', 'calibrated_sensor'),
        ('sample_data', 'ego_pose_token', 'ego_pose'),
        ('sample_data', 'sample_token', 'sample'),
        ('sample_data', 'prev', 'sample_data'),
        ('calibrated_sensor', 'sensor_token', 'sensor'),
        ('instance', 'category_token', 'category'),
        ('sample_annotation', 'sample_token', 'sample'),
        ('sample_annotation', 'instance_token', 'instance'),
        ('sample_annotation', 'attribute_tokens', 'attribute'),
        ('sample_annotation', 'next', 'sample_annotation'),
    ],
)
def test_dangling_references_name_both_tables(world, tmp_path, table, key, lacking):
    owners = []

    def dangle(rows):
        row = rows[3 if table == 'sample_data' else 1]  # a key frame of the LiDAR with sweeps before it
        row[key] = ['gone'] if key == 'attribute_tokens' else 'gone'
        owners.append(row['token'])

    edit(world, table, dangle)
    with pytest.raises(ValueError, match=f"{lacking}.json lacks 'gone', which {table} {'.*'} names") as error:
        create_nuscenes_infos(world, tmp_path / 'out')
    assert owners[0] in str(error.value)


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def edit(world: Path, table: str, change) -> None:
    path = world / 'v1.0-trainval' / f'{table}.json'
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows))


def test_missing_scenes_may_be_skipped(world, tmp_path):
    next((world / 'samples/CAM_FRONT').glob('scene-0001*')).unlink()
    train, _ = create_nuscenes_infos(world, tmp_path / 'out', skip_missing_scenes=True)
    assert {entry['scene_name'] for entry in read(train)['data_list']} == {'scene-0002'}


def test_wrong_version_name(hand_world, tmp_path):
    with pytest.raises(ValueError, match='v1.0-trainval, v1.0-mini'):
        create_nuscenes_infos(hand_world, tmp_path, 'v1.0')


def test_command_line(world, tmp_path, repo_root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))  # as where python runs a script
    main = runpy.run_path(str(repo_root / 'tools/create_data.py'))['main']
    arguments = ['create_data.py', 'nuscenes', '--root-path', str(world), '--out-dir', str(tmp_path)]
    monkeypatch.setattr(sys, 'argv', [*arguments, '--extra-tag', 'mine'])
    assert main() == 0
    assert (tmp_path / 'mine_infos_train.json').is_file()
    (world / 'v1.0-trainval/lidarseg.json').unlink()
    monkeypatch.setattr(sys, 'argv', arguments)
    assert main() == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith('error: lidarseg.json not found')
