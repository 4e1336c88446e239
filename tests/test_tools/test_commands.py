"""The commands about data, pictures, speed and submissions, each run once as a user would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmfusion_plugin.converters.nuscenes_taxonomy import FINE_TO_CLASS, IGNORE_INDEX

CONFIG = 'configs/point_voxel/point-voxel-tiny_1xb2-demo_synthetic-nuscenes.py'


@pytest.fixture()
def command(repo_root: Path):
    """Run a tool; its output, or a failure that shows it."""

    def run(tool: str, *arguments: object, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, f'tools/{tool}', *map(str, arguments)], cwd=repo_root, text=True, timeout=200,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, 'PYTHONPATH': str(repo_root)})
        assert done.returncode == status, done.stdout
        return done.stdout

    return run


def assert_picture(path: Path) -> None:
    picture = np.asarray(Image.open(path).convert('RGB'))
    assert min(picture.shape[:2]) > 300 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


@pytest.mark.slow
def test_segment_frame(command, tiny_nuscenes_infos, repo_root, tmp_path):
    from mmdet3d.registry import MODELS
    from mmengine.registry import init_default_scope

    cfg = Config.fromfile(repo_root / CONFIG)
    init_default_scope('mmdet3d')
    cfg.model.backbone.hidden = 16
    cfg.dump(tmp_path / 'narrow.py')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta={}), tmp_path / 'weights.pth')
    info, out = tiny_nuscenes_infos / 'nuscenes_infos_val.json', tmp_path / 'frame'
    text = command('segment_frame.py', tmp_path / 'narrow.py', tmp_path / 'weights.pth', '--info', info,
                   '--index', 1, '--out', out, '--device', 'cpu')
    assert str(out / 'cameras.png') in text and 'mIoU' in text
    token = json.loads(info.read_text())['data_list'][1]['lidar_points']['sample_data_token']
    labels = np.load(out / 'labels.npy')
    np.testing.assert_array_equal(np.fromfile(out / f'{token}_lidarseg.bin', np.uint8), labels + 1)
    truth = np.array(FINE_TO_CLASS)[np.fromfile(
        tiny_nuscenes_infos / f'lidarseg/v1.0-trainval/{token}_lidarseg.bin', np.uint8)]
    known = truth != IGNORE_INDEX
    summary = json.loads((out / 'segmentation.json').read_text())
    assert summary['acc'] == pytest.approx((truth == labels)[known].mean())
    for name in ('bird_eye_view.png', 'cameras.png'):
        assert_picture(out / name)


@pytest.mark.slow
def test_browse_dataset(command, tiny_nuscenes_infos, tmp_path):
    text = command('misc/browse_dataset.py', CONFIG, '--output-dir', tmp_path, '--number', 1, '--aug',
                   '--not-show', '--show-interval', 0.5, '--ceph', '--task', 'lidar_seg',  # mmdet3d's, without effect
                   '--cfg-options', f'train_dataloader.dataset.data_root={tiny_nuscenes_infos}')
    assert '2 pictures' in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ['000000_bird_eye_view.png', '000000_cameras.png']
    for path in tmp_path.iterdir():
        assert_picture(path)


@pytest.mark.slow
def test_check_submission(command, tiny_nuscenes_infos, tmp_path):
    pytest.importorskip('nuscenes', reason='needs nuscenes-devkit')
    from mmfusion_plugin.evaluation import NuScenesSubmissionWriter

    writer = NuScenesSubmissionWriter(tmp_path / 'sub')
    entries = json.loads((tiny_nuscenes_infos / 'nuscenes_infos_val.json').read_text())['data_list']
    for entry in entries:
        token = entry['lidar_points']['sample_data_token']
        truth = np.array(FINE_TO_CLASS)[np.fromfile(
            tiny_nuscenes_infos / f'lidarseg/v1.0-trainval/{token}_lidarseg.bin', np.uint8)]
        writer.write(token, np.where(truth == IGNORE_INDEX, 0, truth), 'val')
    writer.finish('val', len(entries))
    target = ('nuscenes', tmp_path / 'sub', '--dataroot', tiny_nuscenes_infos, '--eval-set', 'val')
    text = command('check_submission.py', *target, '--score')
    assert f'valid: {len(entries)} sweeps' in text
    miou = next(line for line in text.splitlines() if line.split()[:1] == ['mIoU'])
    assert float(miou.split()[1]) == 100  # the truth itself was submitted
    (tmp_path / f'sub/lidarseg/val/{token}_lidarseg.bin').unlink()
    assert f'1 of {len(entries)} label files are missing' in command('check_submission.py', *target, status=1)


def test_plot_curve(command, tmp_path):
    rows = [dict(lr=0.1, loss=3 / step, step=step, epoch=1) for step in range(1, 20)] + [dict(miou=0.4, step=1)]
    log = tmp_path / 'run/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows) + '{"lr": 0.1, "lo')  # killed while writing
    text = command('analysis_tools/analyze_logs.py', 'plot_curve', tmp_path / 'run', '--out', tmp_path / 'curve.png')
    assert str(tmp_path / 'curve.png') in text
    assert_picture(tmp_path / 'curve.png')


@pytest.mark.slow
def test_benchmark(command, tiny_nuscenes_infos, tmp_path):
    data = f'test_dataloader.dataset.data_root={tiny_nuscenes_infos}'
    text = command('analysis_tools/benchmark.py', CONFIG, 'none', '--samples', 2, '--warmup', 1, '--log-interval', 1,
                   '--fuse-conv-bn', '--device', 'cpu', '--out', tmp_path / 'new/speed.json',
                   '--cfg-options', data, 'model.backbone.hidden=16', 'test_dataloader.num_workers=0',
                   'test_dataloader.persistent_workers=False')
    assert 'Done sample [   2 / 2]' in text
    assert re.search(r'Merged 0 of \d+ batch normalisations', text)  # this network has no dense convolution
    speed = json.loads((tmp_path / 'new/speed.json').read_text())
    assert speed['samples'] == 2 and speed['device'].startswith('cpu')
    assert 0 < speed['latency_ms']['median'] <= speed['latency_ms']['p95']
    assert speed['samples_per_second'] == pytest.approx(1e3 / speed['latency_ms']['mean'])


@pytest.mark.slow
def test_get_flops(command, repo_root):
    from mmdet3d.registry import MODELS
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')
    cfg = Config.fromfile(repo_root / CONFIG)
    cfg.model.backbone.hidden = 16
    count = sum(parameter.numel() for parameter in MODELS.build(cfg.model).parameters())
    macs = []
    for points in (500, 2000):
        text = command('analysis_tools/get_flops.py', CONFIG, '--shape', points, 4,
                       '--cfg-options', 'model.backbone.hidden=16')
        assert f'simulated sweep, ({points}, 4) points' in text and f'Parameters:  {count:,} ' in text
        macs.append(float(re.search(r'MACs: +([\d.]+) G', text)[1]))
    assert 0 < macs[0] < macs[1]


@pytest.mark.slow
def test_make_synthetic(command, tmp_path):
    pytest.importorskip('embreex', reason='the generated world needs embreex')
    command('make_synthetic.py', 'nuscenes', '--out', tmp_path, '--scenes', 1, '--keyframes', 1, '--val-scenes', 0,
            '--seed', 3, '--workers', 1)
    tables = tmp_path / 'v1.0-trainval'
    assert len(json.loads((tables / 'scene.json').read_text())) == 1
    assert len(json.loads((tables / 'sample.json').read_text())) == 1
    label, = (tmp_path / 'lidarseg/v1.0-trainval').iterdir()
    rows = json.loads((tables / 'sample_data.json').read_text())
    sweep, = (row for row in rows if row['token'] == label.name[:32])
    assert np.fromfile(tmp_path / sweep['filename'], np.float32).size == 5 * np.fromfile(label, np.uint8).size
    assert all((tmp_path / row['filename']).is_file() for row in rows if row['is_key_frame'])


@pytest.mark.slow
def test_benchmark_of_the_segmentors(command, tiny_nuscenes_infos, tmp_path):
    """Parts add up to the step, and a network that learns from images predicts without them."""
    info, out = tiny_nuscenes_infos / 'nuscenes_infos_val.json', tmp_path / 'speed.json'
    text = command('benchmarks/segmentors.py', '--info', info, '--models', '2ddata', '--hidden', 8, '--steps', 1,
                   '--device', 'cpu', '--out', out)
    assert 'core s' in text and '2D branch' in text
    numbers = json.loads(out.read_text())['2ddata']
    assert numbers['train']['least_s'] > numbers['predict']['least_s'] > 0
    assert numbers['train']['parts']['2D branch'] > 0 and '2D branch' not in numbers['predict']['parts']
