"""SIM-Net as its user meets it: sheets, training and testing on two processes, and the same scores from one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TINY = 'configs/simnet/simnet-tiny_1xb32_synthetic-herbarium.py'
CONFIG = """
_base_ = '{base}'
data_root = '{sheets}/'
model = dict(
    image_backbone=dict(stem_channels=8, base_channels=8),
    point_backbone=dict(local_channels=[8], global_channels=[16], transform_channels=[8], transform_hidden=[8]),
    head=dict(mid_channels=[8]))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root, few_shot=3))
val_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root))
test_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root))
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
"""
SCORES = ('accuracy/top1', 'single-label/precision', 'single-label/recall', 'single-label/f1-score')


def run(root: Path, *command: object) -> str:
    """Output of a command in the project's folder."""
    settings = dict(PYTHONPATH=str(root), PYTHON=sys.executable, PORT='auto', OMP_NUM_THREADS='1')
    done = subprocess.run(list(map(str, command)), cwd=root, text=True, timeout=800, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **settings})  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.mark.slow
def test_two_processes_train_and_test(repo_root: Path, tmp_path: Path) -> None:
    run(repo_root, sys.executable, 'tools/make_synthetic.py', 'herbarium', '--out', tmp_path / 'sheets', '--sheets', 25,
        '--size', 64, 96, '--workers', 1)  # fmt: skip
    config = tmp_path / 'shrunken.py'
    config.write_text(CONFIG.format(base=repo_root / TINY, sheets=tmp_path / 'sheets'))
    text = run(repo_root, 'bash', 'tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'train')
    assert "6 samples of 2 classes; 9 left out: few_shot keeps others" in text
    weights = tmp_path / 'train/iter_2.pth'
    assert weights.is_file() and list((tmp_path / 'train').glob('best_accuracy_top1_iter_2.pth'))
    for key in ('loss_cls', 'loss_orthogonality', *SCORES):
        assert re.search(rf'{key}: \d+\.\d+', text), key

    run(repo_root, 'bash', 'tools/dist_test.sh', config, weights, 2, '--work-dir', tmp_path / 'two')
    run(repo_root, sys.executable, 'tools/test.py', config, weights, '--work-dir', tmp_path / 'one')
    (two,), (one,) = (tmp_path.glob(f'{name}/*/*.json') for name in ('two', 'one'))
    two, one = json.loads(two.read_text()), json.loads(one.read_text())
    # Five sheets, so that a process gets one twice: it must not count twice.
    assert [two[key] for key in SCORES] == [one[key] for key in SCORES]
    assert one['accuracy/top1'] % 20 == pytest.approx(0)
