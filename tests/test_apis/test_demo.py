"""The demo: its bookkeeping with stages left out, and the whole way once on the smallest world."""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmfusion_plugin.apis import demo
from mmfusion_plugin.apis.demo_report import DemoScores

ALONE = 'configs/point_voxel/point-voxel-tiny_1xb2-demo_synthetic-nuscenes.py'
TAUGHT = 'configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'


def scores(devkit_car: float = 0.5) -> DemoScores:
    baseline = dict(miou=0.1, iou=dict(car=0.1, bus=float('nan')))
    return DemoScores(
        taught=dict(miou=0.5, iou_car=0.5, iou_bus=float('nan')),
        lidar_only=dict(miou=0.4, iou_car=0.4, iou_bus=float('nan')),
        devkit=dict(miou=0.5, iou_per_class=dict(car=devkit_car, bus=float('nan'))),
        baselines=dict(majority=baseline, height=baseline),
    )


def test_evaluators_that_disagree_are_an_error():
    scores().check()
    with pytest.raises(RuntimeError, match='disagree'):
        scores(devkit_car=0.5001).check()


def test_table_shows_every_class_and_baseline():
    header, car, bus, mean = scores().table().splitlines()
    assert header.split() == ['IoU', '(%)', '2DDATA', 'devkit', 'LiDAR', 'only', 'majority', 'height']
    assert car.split() == ['car', '50.00', '50.00', '40.00', '10.00', '10.00'] and bus.split()[1] == 'nan'
    assert mean.split() == ['mean', '50.00', '50.00', '40.00', '10.00', '10.00']


def test_newest_scores_are_taken(tmp_path):
    for age, (name, miou) in enumerate([('new', 0.7), ('old', 0.1)]):
        path = tmp_path / name / f'{name}.json'
        path.parent.mkdir()
        path.write_text(json.dumps(dict(miou=miou)))
        os.utime(path, (1000 - age, 1000 - age))
    assert demo.newest_scores(tmp_path) == dict(miou=0.7)
    with pytest.raises(FileNotFoundError, match='no metrics'):
        demo.newest_scores(tmp_path / 'nothing')


def test_stage_reads_its_argument_and_names_the_command_that_failed(tmp_path, capfd):
    (tmp_path / 'last').write_text('weights.pth\n')
    show = [sys.executable, '-c', 'import sys; print(sys.argv[1]); sys.exit(int(sys.argv[2]))', f'@{tmp_path / "last"}']
    assert demo.run_stage(1, 2, 'show', [*show, '0']) > 0
    assert 'weights.pth' in capfd.readouterr().out.splitlines()
    with pytest.raises(RuntimeError, match='"show" failed with status 3; to repeat it alone: python -c'):
        demo.run_stage(1, 2, 'show', [*show, '3'])


def test_same_demo_is_continued_and_another_one_starts_anew(tmp_path):
    first = demo.DemoProgress(tmp_path, 'a')
    first.add('train', 5.0)
    (tmp_path / '2ddata').mkdir()
    (tmp_path / 'summary.json').write_text('{}')
    again = demo.DemoProgress(tmp_path, 'a')
    again.add('train', 1.5)
    assert again.resumed and again.seconds == dict(train=6.5) and (tmp_path / '2ddata').is_dir()
    assert not (tmp_path / 'summary.json').exists(), 'an old result must not stand for a run that may fail'
    other = demo.DemoProgress(tmp_path, 'b')
    assert not other.resumed and not other.seconds and not (tmp_path / '2ddata').exists()


def test_fingerprint_follows_world_and_config(repo_root):
    cfgs = [Config.fromfile(repo_root / path) for path in (TAUGHT, ALONE)]
    options = demo.DemoOptions(TAUGHT, ALONE, Path('w'))
    larger = demo.DemoOptions(TAUGHT, ALONE, Path('w'), scenes=11)
    marks = [demo.fingerprint(options, *cfgs), demo.fingerprint(larger, *cfgs)]
    for cfg in cfgs:
        cfg.train_cfg.max_epochs += 1
        marks.append(demo.fingerprint(options, *cfgs))
    assert len(set(marks)) == 4


@pytest.mark.parametrize('content, words', [
    (None, 'slip.py. does not exist'), ('a = b', 'slip.py cannot be read .*NameError'),
])  # fmt: skip
def test_a_fault_in_a_config_ends_in_one_line(repo_root, tmp_path, monkeypatch, capsys, content, words):
    slip, work = tmp_path / 'slip.py', tmp_path / 'work'
    if content is not None:
        slip.write_text(content)
    monkeypatch.setattr(sys, 'argv', ['demo.py', '--config', str(slip), '--work-dir', str(work)])
    assert runpy.run_path(str(repo_root / 'tools/demo.py'))['main']() == 1
    (line,) = capsys.readouterr().err.split('\n')[1:-1]
    assert line.startswith('demo: ') and re.search(words, line)
    assert not work.exists()


def test_every_stage_is_a_command_that_its_tool_accepts(repo_root, monkeypatch):
    """Each tool reads its arguments; the shell launchers hand theirs to tools/train.py and tools/test.py."""
    parse_args = argparse.ArgumentParser.parse_args

    class Accepted(Exception):
        pass

    def parse_and_stop(parser: argparse.ArgumentParser) -> None:
        parse_args(parser)
        raise Accepted

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', parse_and_stop)
    monkeypatch.syspath_prepend(repo_root / 'tools')  # as where python runs a script
    behind = {'tools/dist_train.sh': 'tools/train.py', 'tools/dist_test.sh': 'tools/test.py'}
    planned = demo.stages(demo.DemoOptions(TAUGHT, ALONE, Path('work')), Path('data'))
    for title, (_, tool, *arguments) in planned:
        if tool in behind:
            tool, place = behind[tool], 1 if 'train' in tool else 2
            assert arguments.pop(place).isdigit(), title
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        with pytest.raises(Accepted):
            runpy.run_path(str(repo_root / tool), run_name='__main__')
    assert len({title for title, _ in planned}) == len(planned)


@pytest.mark.slow
def test_whole_way(tmp_path, repo_root, monkeypatch):
    monkeypatch.chdir(repo_root)
    data = f'{tmp_path}/nuscenes/'
    root = f'dict(dataset=dict(data_root={data!r}))'
    configs = []
    for base, model in ((TAUGHT, 'image_backbone=dict(base_channels=4, channels=8), '), (ALONE, '')):
        configs.append(tmp_path / Path(base).name)
        configs[-1].write_text(
            f'_base_ = [{str(repo_root / base)!r}]\ndata_root = {data!r}\n'
            f'train_dataloader = {root}\nval_dataloader = {root}\ntest_dataloader = {root}\n'
            'train_cfg = dict(max_epochs=1, val_interval=1)\n'
            f'model = dict({model}backbone=dict(hidden=8, scales=[2, 4]), decode_head=dict(channels=8))\n'
        )
    options = demo.DemoOptions(*map(str, configs), tmp_path / 'work', scenes=2, keyframes=1)
    summary = demo.run_demo(options)
    assert summary == json.loads((tmp_path / 'work' / 'summary.json').read_text())
    assert summary['submission_valid'] and summary['seconds'] > 0
    assert summary['miou'] == pytest.approx(summary['devkit_miou'], abs=1e-6)
    assert 0 <= summary['lidar_only_miou'] <= 1
    assert len(summary['pictures']) == 3 and all(Path(path).stat().st_size > 10_000 for path in summary['pictures'])
