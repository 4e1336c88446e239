"""3D-ReConstNet as its user meets it: training and testing on two processes, the same scores from one, photographs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shapenet_hand_world import make_pix3d

TINY = 'configs/reconstnet/reconstnet-tiny_1xb16_synthetic-shapenet-diversity.py'
PIX3D = 'configs/reconstnet/reconstnet_1xb32_pix3d.py'
CONFIG = """
_base_ = '{base}'
model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    head=dict(num_points=48, fc_channels=16, latent_channels=8, hidden_channels=[16]))
small = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root='{world}/', num_views=3))
train_dataloader = small
val_dataloader = small
test_dataloader = small
val_evaluator = dict(points=48)
test_evaluator = dict(points=48)
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
"""
PHOTOGRAPHS = """
_base_ = '{base}'
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8),
    head=dict(num_points=48, fc_channels=16, latent_channels=8, hidden_channels=[16], init_cfg=None))
test_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{photographs}/', cloud_frame='pix3d_to_shapenet'))
test_evaluator = dict(points=48)
"""
SCORES = ('cd', 'emd', 'f_score', 'cd_overall', 'cd_aeroplane', 'emd_chair', 'cd_table')


def run(root: Path, *command: object) -> str:
    """Output of a command in the project's folder."""
    settings = dict(PYTHONPATH=str(root), PYTHON=sys.executable, PORT='auto', OMP_NUM_THREADS='1')
    done = subprocess.run(list(map(str, command)), cwd=root, text=True, timeout=800, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **settings})  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.mark.slow
def test_two_processes_train_and_test(repo_root: Path, tmp_path: Path) -> None:
    run(repo_root, sys.executable, 'tools/make_synthetic.py', 'shapenet', '--out', tmp_path / 'world', '--models', 3,
        '--views', 3, '--categories', 'airplane', 'chair', 'table', '--workers', 1)  # fmt: skip
    config = tmp_path / 'shrunken.py'
    config.write_text(CONFIG.format(base=repo_root / TINY, world=tmp_path / 'world'))
    text = run(repo_root, 'bash', 'tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'train')
    assert '6 entries of 3 categories' in text
    for key in ('loss_chamfer', 'loss_emd', 'loss_diversity', 'cd', 'f_score'):
        assert re.search(rf'\b{key}: \d+\.\d+', text), key
    weights = tmp_path / 'train/iter_2.pth'
    assert weights.is_file() and list((tmp_path / 'train').glob('best_cd_iter_2.pth'))

    report = tmp_path / 'report'
    text = run(repo_root, 'bash', 'tools/dist_test.sh', config, weights, 2, '--work-dir', tmp_path / 'two',
               '--cfg-options', f'test_evaluator.out_dir={report}')  # fmt: skip
    assert '48 predicted and 48 of 1024 true points; thinned at random, seed 0' in text
    run(repo_root, sys.executable, 'tools/test.py', config, weights, '--work-dir', tmp_path / 'one')
    (two,), (one,) = (tmp_path.glob(f'{name}/*/*.json') for name in ('two', 'one'))
    two, one = json.loads(two.read_text()), json.loads(one.read_text())
    # Three models of three views: a process gets one of the nine twice, which must not count twice.
    assert [two[key] for key in SCORES] == pytest.approx([one[key] for key in SCORES], rel=1e-4)
    assert one['cd'] > 0 and one['emd'] > 0
    assert len((report / 'samples.csv').read_text().splitlines()) == 1 + 9

    config.write_text(PHOTOGRAPHS.format(base=repo_root / PIX3D, photographs=make_pix3d(tmp_path / 'pix3d')))
    text = run(repo_root, sys.executable, 'tools/test.py', config, weights, '--work-dir', tmp_path / 'photographs')
    assert 'Pix3DDataset' in text and '4 entries of 3 categories' in text
    for key in ('cd', 'emd', 'f_score_sofa'):
        assert re.search(rf'\b{key}: \d+\.\d+', text), key
    assert 'each cloud scaled to the unit cube; aligned by ICP' in text
