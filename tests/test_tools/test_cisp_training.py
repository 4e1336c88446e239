"""CISP and IC3D as their user meets them: training on two processes, one on the other, and the same scores from one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CISP = 'configs/cisp/cisp-tiny_1xb64_synthetic-shapenet.py'
IC3D = 'configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'
SMALL = """
_base_ = '{base}'
small = dict(
    batch_size=3, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{world}/', num_views=2, categories=['airplane', 'chair']))
train_dataloader = dict(small{distinct})
val_dataloader = small
test_dataloader = small
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
randomness = dict(seed=0)
"""
DRAWN = """
model = dict(
    image_encoder=dict(init_cfg=dict(checkpoint='{weights}')),
    denoiser=dict(model_channels=16),
    sampling=dict(num_samples=2, steps=2, threshold=0.02))  # half of the voxels, after so little training
test_evaluator = dict(points=64)
"""


def run(root: Path, *command: object) -> str:
    """Output of a command in the project's folder."""
    settings = dict(PYTHONPATH=str(root), PYTHON=sys.executable, PORT='auto', OMP_NUM_THREADS='1')
    done = subprocess.run(list(map(str, command)), cwd=root, text=True, timeout=800, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **settings})  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def scores(folder: Path) -> dict:
    """What a test wrote."""
    (path,) = folder.glob('*/*.json')
    return {key: value for key, value in json.loads(path.read_text()).items() if 'time' not in key}


@pytest.mark.slow
def test_two_processes_train_and_test(repo_root: Path, tmp_path: Path) -> None:
    run(repo_root, sys.executable, 'tools/make_synthetic.py', 'shapenet', '--out', tmp_path / 'world', '--models', 8,
        '--views', 2, '--categories', 'airplane', 'chair', '--workers', 1)  # fmt: skip
    first, second = tmp_path / 'cisp.py', tmp_path / 'ic3d.py'
    distinct = ', sampler=dict(batch_size=3)'
    first.write_text(SMALL.format(base=repo_root / CISP, world=tmp_path / 'world', distinct=distinct))
    text = run(repo_root, 'bash', 'tools/dist_train.sh', first, 2, '--work-dir', tmp_path / 'cisp')
    for key in ('loss_contrastive', 'scale', 'i2s_top1', 's2i_top10_overall', 'i2s_top5_aeroplane'):
        assert re.search(rf'\b{key}: \d+\.\d+', text), key
    weights = tmp_path / 'cisp/iter_2.pth'
    assert weights.is_file() and list((tmp_path / 'cisp').glob('best_i2s_top1_overall_iter_2.pth'))

    text = SMALL.format(base=repo_root / IC3D, world=tmp_path / 'world', distinct='')
    second.write_text(text + DRAWN.format(weights=weights))
    text = run(repo_root, 'bash', 'tools/dist_train.sh', second, 2, '--work-dir', tmp_path / 'ic3d')
    for key in ('loss_start', 'noise_error'):
        assert re.search(rf'\b{key}: \d+\.\d+', text), key
    assert list((tmp_path / 'ic3d').glob('best_noise_error_iter_2.pth'))

    # Four models are tested, so that all are among the first five.
    wanted = dict(cisp=('i2s_top1', 's2i_top1', 'i2s_top1_chair'),
                  ic3d=('iou_mean', 'iou_best', 'cd_mean', 'emd_best_chair'))  # fmt: skip
    for (name, keys), config in zip(wanted.items(), (first, second)):
        last = tmp_path / name / 'iter_2.pth'
        run(repo_root, 'bash', 'tools/dist_test.sh', config, last, 2, '--work-dir', tmp_path / 'two' / name)
        weights.unlink(missing_ok=True) if name == 'ic3d' else None  # an IC3D's own checkpoint has its encoder
        run(repo_root, sys.executable, 'tools/test.py', config, last, '--work-dir', tmp_path / 'one' / name)
        two, one = scores(tmp_path / 'two' / name), scores(tmp_path / 'one' / name)
        assert set(keys) <= set(one) and set(one) == set(two)
        assert name == 'cisp' or all(one[key] > 0 for key in keys), 'empty shapes are alike whatever went wrong'
        assert [two[key] for key in keys] == pytest.approx([one[key] for key in keys], rel=0.05)
