"""tools/check_data.py on sound and damaged data."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from nuscenes_hand_world import make_world

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.datasets import check_files
from mmfusion_plugin.datasets.check_files import build_datasets, check_dataset, dataset_cfgs


@pytest.fixture
def config(repo_root: Path) -> Config:
    return Config.fromfile(repo_root / 'configs/_base_/datasets/nuscenes_lidarseg.py')


@pytest.mark.parametrize(('decode', 'workers'), [(False, 2), (True, 1)])
def test_sound_data(config, converted_world, decode, workers):
    report = check_dataset(*build_datasets(config, 'train', str(converted_world)), decode, workers)
    assert report.faults == [] and report.samples == 6 and report.points == 1800
    assert report.files == {'sweeps': 6, 'earlier sweeps': 0, 'labels': 6, 'images': 36}
    assert report.bytes['sweeps'] == 36000 and report.bytes['labels'] == 1800


@pytest.mark.parametrize('decode', [False, True])
def test_each_fault_is_listed(config, world, decode):
    (dataset,) = build_datasets(config, 'train', str(world))
    first, second = dataset.get_data_info(0), dataset.get_data_info(4)
    broken = [second['lidar_path'], first['pts_semantic_mask_path'], first['images']['CAM_BACK']['img_path']]
    for path in broken:
        Path(path).write_bytes(Path(path).read_bytes()[:-9])
    missing, zeros, folder = (first['images'][camera]['img_path'] for camera in list(first['images'])[:3])
    Path(missing).unlink()
    Path(zeros).write_bytes(bytes(5000))
    Path(folder).unlink()
    Path(folder).mkdir()
    faults = check_dataset(dataset, decode).faults
    assert len(faults) == 6
    assert all(sum(path in fault for fault in faults) == 1 for path in [*broken, missing, zeros, folder])


def test_earlier_sweeps_are_walked_once(config, world):
    create_nuscenes_infos(world, world)
    (dataset,) = build_datasets(config, 'train', str(world))
    # Each of two scenes has six sweeps, three of them key frames; the last key frame lists all before it.
    report = check_dataset(dataset)
    assert report.faults == [] and report.files['sweeps'] == report.files['earlier sweeps'] == 6
    emptied = sorted((world / 'sweeps/LIDAR_TOP').glob('scene-000[12]*'))
    for path in emptied:
        path.write_bytes(b'')
    faults = check_dataset(dataset, workers=2).faults
    assert len(faults) == len(emptied) == 6
    assert all(sum(str(path) in fault for fault in faults) == 1 for path in emptied)


def test_wrapped_datasets_are_all_walked(config):
    inner = config.train_dataloader.dataset
    other = dict(inner, ann_file='more.json')
    config.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[dict(type='RepeatDataset', dataset=inner), other]
    )
    assert [cfg['ann_file'] for cfg in dataset_cfgs(config, 'train')] == ['nuscenes_infos_train.json', 'more.json']


def test_mini_version_with_the_shipped_config(config, tmp_path):
    root = make_world(tmp_path / 'world', 'v1.0-mini')
    create_nuscenes_infos(root, root, 'v1.0-mini')
    for split in ('train', 'val', 'test'):
        report = check_dataset(*build_datasets(config, split, str(root)))
        assert report.faults == [] and report.files['labels'] == report.samples == 3


def test_killed_worker_is_an_error(config, converted_world, monkeypatch):
    monkeypatch.setitem(check_files.CHECKS, 'NuScenesLidarSegDataset', kill_this_process)
    with pytest.raises(ChildProcessError, match='memory'):
        check_dataset(*build_datasets(config, 'train', str(converted_world)), workers=2)


def kill_this_process(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_command_line(world, repo_root, monkeypatch, capsys):
    main = runpy.run_path(str(repo_root / 'tools/check_data.py'))['main']
    config = str(repo_root / 'configs/_base_/datasets/nuscenes_lidarseg.py')
    monkeypatch.setattr(sys, 'argv', ['check_data.py', config, '--split', 'val', '--data-root', str(world)])
    assert main() == 0
    assert '3 samples, 900 points, 0 faults' in capsys.readouterr().out
    path = next((world / 'samples/LIDAR_TOP').glob('scene-0003*'))
    path.write_bytes(b'')
    assert main() == 1 and str(path) in capsys.readouterr().out
    monkeypatch.setattr(sys, 'argv', ['check_data.py', config, '--data-root', str(world)])
    assert main() == 1
    printed = capsys.readouterr().out
    assert '6 samples, 1800 points, 0 faults' in printed and '3 samples, 600 points, 1 faults' in printed
    assert printed.count('the same files as above') == 1  # val and test
    monkeypatch.setattr(sys, 'argv', ['check_data.py', config, '--data-root', str(world / 'nowhere')])
    assert main() == 1 and 'create_data.py' in capsys.readouterr().err


def test_scans_and_their_frames(scannet_rooms, tmp_path, repo_root):
    rooms = Path(shutil.copytree(scannet_rooms, tmp_path / 'rooms'))
    for base, kinds in (('scannet_rgbd', ['vertices', 'labels', 'poses', 'overlap']), ('scannet_views', [])):
        config = Config.fromfile(repo_root / f'configs/_base_/datasets/{base}.py')
        if base == 'scannet_views':
            config.val_dataloader.dataset.every = 1
        (data,) = build_datasets(config, 'val', str(rooms))
        sound = check_dataset(data, decode=True, workers=2)
        assert sound.faults == [] and sound.files == check_dataset(data).files
        assert sound.files['color images'] == sound.files['label-filt images'] == 4  # two of six frames are dropped
        assert [kind for kind in sound.files if 'images' not in kind] == kinds
    (data,) = build_datasets(Config.fromfile(repo_root / 'configs/_base_/datasets/scannet_rgbd.py'), 'val', str(rooms))
    scan = data.get_data_info(0)['scan_id']
    names = ['points/{}.bin', 'semantic_mask/{}.bin', 'frames/{}/poses.npy', 'frames/{}/overlap.npz',
             'frames/{}/color/0.jpg', 'frames/{}/depth/1.png', 'frames/{}/label/4.png']  # fmt: skip
    for name in names:
        path = rooms / name.format(scan)
        path.write_bytes(path.read_bytes()[:-30])
    faults = check_dataset(data).faults
    assert len(faults) == len(names)
    assert all(sum(str(rooms / name.format(scan)) in fault for fault in faults) == 1 for name in names)
    other = Config(dict(val_dataloader=dict(dataset=dict(type='KittiDataset'))))
    with pytest.raises(ValueError, match='KittiDataset'):
        dataset_cfgs(other, 'val')
