"""CISP and IC3D as their user meets them: training on two processes, one on the other, and the same scores from one."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
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
test_evaluator = [dict({metric}), dict(type='DumpResults', out_file_path='{dump}')]
"""
DRAWN = """
model = dict(
    image_encoder=dict(init_cfg=dict(checkpoint='{weights}')),
    denoiser=dict(model_channels=16),
    sampling=dict(num_samples=2, steps=2, threshold=0.02))  # half of the voxels, after so little training
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


def predictions(path: Path) -> list:
    """What a test predicted for each sample, taken away."""
    content = pickle.loads(path.read_bytes())
    path.unlink()
    return content


def difference(one: np.ndarray, two: np.ndarray) -> float:
    """Mean distance, as a share of the mean size."""
    return np.abs(one - two).mean() / np.abs(one).mean()


@pytest.mark.slow
def test_two_processes_train_and_test(repo_root: Path, tmp_path: Path) -> None:
    run(repo_root, sys.executable, 'tools/make_synthetic.py', 'shapenet', '--out', tmp_path / 'world', '--models', 8,
        '--views', 2, '--categories', 'airplane', 'chair', '--workers', 1)  # fmt: skip
    first, second = tmp_path / 'cisp.py', tmp_path / 'ic3d.py'
    paths = dict(world=tmp_path / 'world', dump=tmp_path / 'predictions.pkl')
    first.write_text(SMALL.format(base=repo_root / CISP, distinct=', sampler=dict(batch_size=3)',
                                  metric="type='RetrievalMetric'", **paths))  # fmt: skip
    text = run(repo_root, 'bash', 'tools/dist_train.sh', first, 2, '--work-dir', tmp_path / 'cisp')
    for key in ('loss_contrastive', 'scale', 'i2s_top1', 's2i_top10_overall', 'i2s_top5_aeroplane'):
        assert re.search(rf'\b{key}: \d+\.\d+', text), key
    weights = tmp_path / 'cisp/iter_2.pth'
    assert weights.is_file() and list((tmp_path / 'cisp').glob('best_i2s_top1_overall_iter_2.pth'))

    text = SMALL.format(base=repo_root / IC3D, distinct='', metric="type='ShapeGenerationMetric', emd='none'", **paths)
    second.write_text(text + DRAWN.format(weights=weights))
    text = run(repo_root, 'bash', 'tools/dist_train.sh', second, 2, '--work-dir', tmp_path / 'ic3d')
    for key in ('loss_start', 'noise_error'):
        assert re.search(rf'\b{key}: \d+\.\d+', text), key
    assert list((tmp_path / 'ic3d').glob('best_noise_error_iter_2.pth'))

    wanted = dict(cisp=dict(pred_image_embedding=1e-3, pred_shape_embedding=1e-3), ic3d=dict(pred_voxels=0.003))
    for (name, limits), config in zip(wanted.items(), (first, second)):
        last = tmp_path / name / 'iter_2.pth'
        run(repo_root, 'bash', 'tools/dist_test.sh', config, last, 2, '--work-dir', tmp_path / 'two' / name)
        two, together = scores(tmp_path / 'two' / name), predictions(paths['dump'])
        weights.unlink(missing_ok=True) if name == 'ic3d' else None  # an IC3D's own checkpoint has its encoder
        run(repo_root, sys.executable, 'tools/test.py', config, last, '--work-dir', tmp_path / 'one' / name)
        one, alone = scores(tmp_path / 'one' / name), predictions(paths['dump'])
        assert set(one) == set(two) and [a['model_id'] for a in alone] == [b['model_id'] for b in together]
        for key, limit in limits.items():
            a, b = (np.stack([np.asarray(sample[key], np.float64) for sample in group]) for group in (alone, together))
            assert difference(a, b) < limit < difference(a, b[::-1]), f'{key}: alike whatever went wrong, or not alike'

    # Few voxels near the threshold may flip; one is enough for other points on the surface.
    for key, limit in dict(iou_mean=0.02, iou_best=0.02, cd_mean=0.3, cd_best_chair=0.3).items():
        assert one[key] > 0 and two[key] == pytest.approx(one[key], rel=limit), key
