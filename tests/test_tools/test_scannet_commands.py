"""ScanNet as its user meets it: raw scans to an accepted submission, by the commands of projects/SAFNet/README.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TINY = 'configs/safnet/safnet-tiny_1xb4_synthetic-scannet.py'
VIEWS = 'configs/unet_resnet34/unet-tiny_1xb8_synthetic-scannet.py'


def run(root: Path, *command: object, fails: bool = False) -> str:
    """Output of a command in the project's folder."""
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=root, text=True, timeout=400, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, 'PYTHONPATH': str(root)},
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


@pytest.fixture(scope='module')
def rooms(repo_root, tmp_path_factory) -> Path:
    """Two rooms and one of the test split, generated and converted by the tools."""
    folder = tmp_path_factory.mktemp('scannet_commands')
    run(repo_root, 'tools/make_synthetic.py', 'scannet', '--out', folder / 'raw', '--scenes', 2, '--val-scenes', 1,
        '--test-scenes', 1, '--frames', 4, '--color-size', 160, 120, '--depth-size', 160, 120, '--mesh-edge', 0.3)
    text = run(repo_root, 'tools/create_data.py', 'scannet', '--root-path', folder / 'raw', '--out-dir', folder / 'out',
               '--image-size', 80, 60)  # fmt: skip
    assert text.count('1 scans, ') == 3
    return folder / 'out'


@pytest.mark.slow
def test_from_raw_scans_to_an_accepted_submission(repo_root, rooms, tmp_path):
    def options(*more: str) -> list[str]:
        roots = [f'{split}_dataloader.dataset.data_root={rooms}/' for split in ('train', 'val', 'test')]
        return ['--cfg-options', *roots, *more]

    short = ('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=2',
             'train_dataloader.batch_size=2')  # fmt: skip
    run(repo_root, 'tools/train.py', VIEWS, '--work-dir', tmp_path / 'views', *options(*short))
    run(repo_root, 'tools/train.py', TINY, '--work-dir', tmp_path / 'safnet',
        *options(*short, f'load_from={tmp_path}/views/iter_2.pth'))  # fmt: skip
    weights = tmp_path / 'safnet/iter_2.pth'
    text = run(repo_root, 'tools/test.py', TINY, weights, '--work-dir', tmp_path / 'test', '--show-dir',
               tmp_path / 'pictures', '--tta', '--num-votes', 2, *options())  # fmt: skip
    assert re.search(r'miou: 0\.\d+', text)
    assert sorted(path.name for path in (tmp_path / 'pictures').iterdir()) == ['000000_scan.png', '000000_views.png']
    submission = tmp_path / 'submission'
    run(repo_root, 'tools/test.py', TINY, weights, '--work-dir', tmp_path / 'test',
        *options('test_dataloader.dataset.ann_file=scannet_infos_test.json',
                 f'test_evaluator.submission_prefix={submission}'))  # fmt: skip
    check = ('tools/check_submission.py', 'scannet', f'{submission}.zip', '--data-root', rooms)
    run(repo_root, *check)
    with zipfile.ZipFile(f'{submission}.zip') as archive:
        (name,) = archive.namelist()
        lines = archive.read(name).decode().splitlines()
    with zipfile.ZipFile(f'{submission}.zip', 'w') as archive:
        archive.writestr(name, '\n'.join(lines[:-1]) + '\n')
    assert name in run(repo_root, *check, fails=True)


@pytest.mark.slow
def test_data_are_checked_and_browsed(repo_root, rooms, tmp_path):
    text = run(repo_root, 'tools/check_data.py', TINY, '--data-root', rooms, '--decode')
    assert '0 faults' in text and 'overlap' in text
    run(repo_root, 'tools/misc/browse_dataset.py', TINY, '--output-dir', tmp_path / 'browse', '--aug', '--number', 1,
        '--cfg-options', f'train_dataloader.dataset.data_root={rooms}/')  # fmt: skip
    assert len(list((tmp_path / 'browse').iterdir())) == 2


@pytest.mark.slow
def test_benchmark_beside_mvpnets_method(repo_root, tmp_path):
    run(repo_root, 'tools/make_synthetic.py', 'scannet', '--out', tmp_path / 'raw', '--scenes', 1, '--test-scenes', 0,
        '--frames', 4, '--color-size', 320, 240, '--depth-size', 320, 240, '--mesh-edge', 0.3)  # fmt: skip
    run(repo_root, 'tools/create_data.py', 'scannet', '--root-path', tmp_path / 'raw', '--out-dir', tmp_path / 'out')
    text = run(repo_root, 'tools/benchmarks/scannet.py', tmp_path / 'out', '--raw', tmp_path / 'raw', '--scans', 1,
               '--samples', 2, '--repeats', 1)  # fmt: skip
    assert len(re.findall(r'\d+\.\dx$', text, re.M)) >= 4 and 'overlap' in text
