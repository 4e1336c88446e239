"""Flags of the Python tools, read in this process."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = [
    'train.py',
    'test.py',
    'misc/print_config.py',
    'misc/browse_dataset.py',
    'analysis_tools/analyze_logs.py',
    'analysis_tools/get_flops.py',
    'analysis_tools/benchmark.py',
]


def load(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f'tool_{Path(name).stem}', root / 'tools' / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('name', TOOLS)
def test_help_has_examples(repo_root: Path, name: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, 'argv', [name, '--help'])
    with pytest.raises(SystemExit) as stop:
        load(repo_root, name).parse_args()
    assert stop.value.code == 0 and 'examples:' in capsys.readouterr().out


def test_train_flags_of_mmdet3d(repo_root: Path, monkeypatch) -> None:
    line = 'train.py c.py --work-dir w --amp --sync_bn torch --auto-scale-lr --ceph --launcher slurm --local_rank 2'
    monkeypatch.setattr(sys, 'argv', [*line.split(), '--resume', '--cfg-options', 'a.b=1', 'c=[1,2]'])
    args = load(repo_root, 'train.py').parse_args()
    assert (args.work_dir, args.amp, args.sync_bn, args.auto_scale_lr) == ('w', True, 'torch', True)
    assert (args.ceph, args.launcher, args.local_rank, args.resume) == (True, 'slurm', 2, 'auto')
    assert args.cfg_options == {'a.b': 1, 'c': [1, 2]}
    monkeypatch.setattr(sys, 'argv', ['train.py', 'c.py', '--resume=e.pth', '--local-rank=1'])
    args = load(repo_root, 'train.py').parse_args()
    assert (args.resume, args.local_rank) == ('e.pth', 1)


def test_test_flags_of_mmdet3d(repo_root: Path, monkeypatch) -> None:
    line = 'test.py c.py w.pth --show --show-dir d --score-thr 0.3 --task lidar_seg --wait-time 1 --tta --num-votes 3'
    monkeypatch.setattr(sys, 'argv', [*line.split(), '--work-dir', 'w', '--ceph', '--launcher', 'mpi'])
    args = load(repo_root, 'test.py').parse_args()
    assert (args.checkpoint, args.show, args.show_dir, args.score_thr) == ('w.pth', True, 'd', 0.3)
    assert (args.task, args.wait_time, args.tta, args.num_votes, args.launcher) == ('lidar_seg', 1, True, 3, 'mpi')


def test_print_config(repo_root: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    config, merged = tmp_path / 'c.py', tmp_path / 'merged.py'
    config.write_text("_base_ = './b.py'\nmodel = dict(width=2)\n")
    (tmp_path / 'b.py').write_text("model = dict(type='X', width=1)\n")
    arguments = ['print_config.py', str(config), '--cfg-options', 'model.depth=3', '--save-path', str(merged)]
    monkeypatch.setattr(sys, 'argv', arguments)
    tool = load(repo_root, 'misc/print_config.py')
    assert tool.main() == 0
    text = capsys.readouterr().out
    assert "model = dict(depth=3, type='X', width=2)" in text
    assert "model = dict(depth=3, type='X', width=2)" in merged.read_text()
    config.write_text("custom_imports = dict(imports=['no_such_module_at_all'])\n")
    assert tool.main() == 0, 'what a config imports is not needed to print it'
    capsys.readouterr()
    for slip, words in (("_base_ = './gone.py'\n", 'gone.py'), ('a = b\n', 'c.py cannot be read as a config')):
        config.write_text(slip)
        assert tool.main() == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith('error: ') and words in line


def test_flops_of_images_need_a_sample(repo_root: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, 'argv', ['get_flops.py', 'c.py', '--modality', 'multi'])
    with pytest.raises(SystemExit):
        load(repo_root, 'analysis_tools/get_flops.py').parse_args()
    assert '--sample' in capsys.readouterr().err


def test_train_time_needs_logged_times(repo_root: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    tool, log = load(repo_root, 'analysis_tools/analyze_logs.py'), tmp_path / 'scalars.json'
    rows = (dict(loss=1.0, time=time, step=step) for step, time in ((1, 9), (2, 1), (3, 3)))
    log.write_text('\n'.join(map(json.dumps, rows)))
    monkeypatch.setattr(sys, 'argv', ['analyze_logs.py', 'cal_train_time', str(log)])
    tool.main()
    assert '2.0000 s per iteration, slowest 3.0000 s, fastest 1.0000 s' in capsys.readouterr().out
    log.write_text('{"loss": 1.0, "lr": 0.1, "step": 1}\n')
    with pytest.raises(SystemExit, match="scalars.json has no 'time' .* it has loss, lr"):
        tool.main()
