"""The 2DDATA study: commands, entries, and its statistics against plain numpy. No training: a stand-in writes logs."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from study_modules import study_modules

from mmfusion_plugin.apis.study import Results, Run, Usage, plan, run_all
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES

SEEDS = [0, 1, 2]
BOXES = dict(given=5000, recall=0.912, precision=0.84, mean_iou=0.8, class_accuracy=0.95)
TRAIN_ROWS = [dict(loss=1.0, time=time, step=step) for step, time in enumerate((9.0, 1.0, 3.0, 2.0, 2.0), 1)]


@pytest.fixture
def study(repo_root: Path) -> Iterator[SimpleNamespace]:
    """The project's modules."""
    with study_modules(repo_root / 'projects' / '2DDATA', boxes='study_boxes', scores='interest_scores') as modules:
        modules.size = modules.plan.SIZES['cpu']
        yield modules


class Stub:
    """Writes the log of a training whose IoU follow from its folder's name; counts calls."""

    def __init__(self) -> None:
        self.called = []

    def __call__(self, command: list, work_dir: Path, threads: int) -> Usage:
        self.called.append(work_dir.name)
        log = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        rows = [*TRAIN_ROWS, scores_of(work_dir.name)]
        log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
        return Usage(seconds=120.0 + len(self.called), peak_memory_mb=500.0)


def scores_of(name: str) -> dict:
    """A validation as ``LidarSegMetric`` logs it; one class occurs nowhere."""
    rng = np.random.default_rng(sum(map(ord, name)))
    iou = dict(zip(CLASSES, rng.random(16)))
    iou['trailer'] = float('nan')
    return dict(miou=float(np.nanmean(list(iou.values()))), step=8, **{f'iou_{name}': v for name, v in iou.items()})


def boxes_of(study: SimpleNamespace) -> dict:
    return {name: BOXES for name, variant in study.plan.VARIANTS.items() if variant.has_boxes}


def finished(study: SimpleNamespace, folder: Path, variants: list | None = None) -> tuple[Results, Stub]:
    stub, results = Stub(), study.runs.open_results(folder / 'cpu.json', study.size)
    runs = plan(variants or list(study.plan.CORE), SEEDS)
    run_all(study.runs.tasks(study.size, runs, folder / 'work', boxes_of(study)), results, 2, study.runs.score, stub)
    return results, stub


@pytest.mark.parametrize('size', ['cpu', 'gpu'])
def test_commands_configure_the_variant(study, size, repo_root, monkeypatch):
    """Parsed by the real tool's own code: what the training would see."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    from train import parse_args

    from mmfusion_plugin.engine.launch import apply_train_arguments, load_config

    monkeypatch.chdir(repo_root)
    size = study.plan.SIZES[size]
    cfgs = {}
    for name in study.plan.VARIANTS:
        monkeypatch.setattr(sys, 'argv', study.plan.training_command(size, Run(name, 7), Path('w'))[1:])
        args = parse_args()
        cfgs[name] = load_config(args)
        apply_train_arguments(cfgs[name], args)
    for name, cfg in cfgs.items():
        assert cfg.randomness.seed == 7 and cfg.work_dir == 'w' and cfg.train_cfg.val_interval == size.epochs
        assert cfg.train_dataloader.dataset.data_root == cfg.val_dataloader.dataset.data_root == f'{size.data_root}/'
        assert cfg.default_hooks.checkpoint.save_best is None and cfg.train_cfg.max_epochs == size.epochs
        assert cfg.val_dataloader.dataset.ann_file == 'nuscenes_infos_val.json', 'every variant faces the same test'
        ending = {'boxes': f'boxes{name[-1]}.json', 'masks': 'masks.json'}.get(name.split('-')[0], 'train.json')
        assert cfg.train_dataloader.dataset.ann_file.endswith(ending)
        for key in ('backbone', 'decode_head'):
            assert cfg.model[key] == cfgs['lidar-only'].model[key], 'the same 3D network'
        assert cfg.optim_wrapper == cfgs['lidar-only'].optim_wrapper
        assert cfg.param_scheduler == cfgs['lidar-only'].param_scheduler
    assert cfgs['lidar-only'].model.type == 'PointVoxelSegmentor' and cfgs['2dpass'].model.type == 'TwoDPASS'
    assert cfgs['branch-alone'].model.fusion is None and cfgs['2ddata'].model.fusion is not None
    assert cfgs['boxes-2'].model == cfgs['masks'].model == cfgs['2ddata'].model
    steps = {name: cfgs[name].train_dataloader.dataset.pipeline for name in ('2ddata', 'masks')}
    changed = [(old, new) for old, new in zip(steps['2ddata'], steps['masks']) if old != new]
    assert changed == [(dict(type='LoadBoxes2D'), dict(type='LoadBoxes2D', with_masks=True))]
    for name, weight in {'kl-0': 0.0, 'kl-0.5': 0.5}.items():
        assert cfgs[name].model == {
            **cfgs['2ddata'].model, 'object_branch': {**cfgs['2ddata'].model.object_branch, 'kl_weight': weight}}
    assert not set(study.plan.CORE) & {'kl-0', 'kl-0.5', 'masks'} and len(study.plan.CORE) == 7


def test_entries_hold_what_was_logged(study, tmp_path):
    results, _ = finished(study, tmp_path, ['2ddata'])
    entry = json.loads((tmp_path / 'cpu.json').read_text())['runs'][1]
    logged = scores_of('2ddata_seed1')
    assert (entry['variant'], entry['seed']) == ('2ddata', 1)
    assert entry['iou']['trailer'] is None and entry['iou']['car'] == logged['iou_car']
    assert entry['interest'] == pytest.approx(np.mean([logged[f'iou_{name}'] for name in (
        'pedestrian', 'bicycle', 'car', 'truck', 'motorcycle')]))
    others = [value for key, value in logged.items() if key.startswith('iou_') and key[4:] not in (
        'pedestrian', 'bicycle', 'car', 'truck', 'motorcycle')]
    assert len(others) == 11 and entry['other'] == pytest.approx(np.nanmean(others))
    assert entry['seconds_per_iteration'] == 2.0 and entry['iterations'] == 5
    assert entry['boxes'] == BOXES and entry['peak_memory_mb'] == 500.0
    assert (entry['jobs'], entry['threads']) == (2, max(1, os.cpu_count() // 2)) and len(entry['load_average']) == 3
    assert entry['command'].startswith('python tools/train.py configs/2ddata/')
    assert results.runs == json.loads((tmp_path / 'cpu.json').read_text())['runs']


def test_a_changed_config_or_level_is_noticed(study, tmp_path):
    finished(study, tmp_path, ['2dpass', 'boxes-1'])
    settings = study.size.settings()
    assert len(set(settings['digests'].values())) == len(study.plan.VARIANTS), 'no two variants are the same'
    content = json.loads((tmp_path / 'cpu.json').read_text())
    content['settings']['digests']['boxes-1'] = 'other'
    (tmp_path / 'cpu.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'other settings \(config or boxes of boxes-1\)'):
        study.runs.open_results(tmp_path / 'cpu.json', study.size)


def test_recorded_results_are_accepted(study, repo_root):
    path = repo_root / 'projects' / '2DDATA' / 'results' / 'cpu.json'
    before = path.read_bytes()
    assert len(study.runs.open_results(path, study.size).runs) == 21 and path.read_bytes() == before


def test_digests_follow_config_options_and_levels(study, monkeypatch):
    before = study.size.settings()['digests']
    changed = (study.plan.LEVELS[0], dataclasses.replace(study.plan.LEVELS[1], miss=0.5), *study.plan.LEVELS[2:])
    monkeypatch.setattr(study.plan, 'LEVELS', changed)
    assert differences(before, study.size.settings()['digests']) == {'boxes-1'}
    monkeypatch.undo()
    cfg = copy.deepcopy(study.plan.load_config(study.size.configs['2dpass']))
    cfg.optim_wrapper.optimizer.lr *= 2
    others = study.plan.load_config
    monkeypatch.setattr(study.plan, 'load_config', lambda path: cfg if '/2dpass/' in path else others(path))
    assert differences(before, study.size.settings()['digests']) == {'2dpass'}


def differences(before: dict, after: dict) -> set:
    return {name for name in before if before[name] != after[name]}


def test_boxes_of_each_variant(study, tiny_nuscenes_infos, tmp_path):
    MASKS, prepare_boxes = study.boxes.MASKS, study.boxes.prepare_boxes
    for entry in tiny_nuscenes_infos.glob('*.json'):
        (tmp_path / entry.name).symlink_to(entry)
    size = dataclasses.replace(study.size, data_root=str(tmp_path))
    variants = [study.plan.VARIANTS[name] for name in ('2ddata', 'boxes-1', 'boxes-2', 'boxes-3')]
    figures = [prepare_boxes(size, variant) for variant in variants]
    infos = json.loads((tmp_path / 'nuscenes_infos_train.json').read_text())['data_list']
    count = sum(len(image['boxes_2d']) for entry in infos for image in entry['images'].values())
    assert figures[0] == dict(given=count, recall=1.0, precision=1.0, mean_iou=1.0, class_accuracy=1.0)
    for key in ('recall', 'precision', 'mean_iou', 'class_accuracy'):
        assert all(better[key] > worse[key] for better, worse in zip(figures, figures[1:])), key
    # One mask, somewhat smaller than the box of its object.
    (image, box), = [(i, i['boxes_2d'][0]) for i in infos[0]['images'].values() if i['boxes_2d']][:1]
    x1, y1, x2, y2 = box['bbox']
    mask = dict(image_id=1, category_id=1, bbox=[x1 + 0.5, y1 + 0.5, 0.9 * (x2 - x1), y2 - y1])
    corners = [x1 + 0.5, y1 + 0.5, x2, y1 + 0.5, x2, y2]
    names = dict(images=[dict(id=1, file_name=image['img_path'], width=1600, height=900)],
                 categories=[dict(id=1, name=box['category_name'])])
    (tmp_path / MASKS).parent.mkdir()
    (tmp_path / MASKS).write_text(json.dumps(dict(names, annotations=[dict(mask, segmentation=[corners])])))
    masked = prepare_boxes(size, study.plan.VARIANTS['masks'])
    assert (masked['given'], masked['precision'], masked['class_accuracy']) == (1, 1, 1)
    assert masked['mean_iou'] == pytest.approx(0.9, abs=0.01) and masked['recall'] == round(1 / count, 4)
    for name in ('boxes-1', 'boxes-2', 'boxes-3', 'masks'):
        words = study.plan.training_command(size, Run(name, 0), tmp_path)
        named, = (word.split('=')[1] for word in words if 'ann_file' in word)
        assert (tmp_path / named).is_file()
    commands = [study.plan.world_commands(size, 1, masks) for masks in (False, True)]
    assert [['--masks' in command for command in some] for some in commands] == [[False], [False, True]]


def test_timing_command(study, repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    from train import parse_args

    from mmfusion_plugin.engine.launch import load_config

    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(sys, 'argv', study.runs.timing_command(study.size, 'branch-alone', Path('w'))[1:])
    cfg = load_config(parse_args())
    assert cfg.train_cfg.max_epochs == 1 < cfg.train_cfg.val_begin and cfg.model.fusion is None
    assert cfg.train_dataloader.dataset.indices == 20 * cfg.train_dataloader.batch_size == 40


def test_table_against_numpy(study, tmp_path):
    results, _ = finished(study, tmp_path, ['2ddata', '2dpass', 'boxes-1'])
    runs = [entry for entry in results.runs if (entry['variant'], entry['seed']) != ('boxes-1', 2)]
    text = study.table.table(runs)
    rows = {line.split('|')[1].strip(): [cell.strip() for cell in line.split('|')[2:-1]]
            for line in text.split('\n\n')[0].splitlines()}  # fmt: skip
    value = {(e['variant'], e['seed']): 100 * np.array([e['miou'], e['interest'], e['other']]) for e in runs}
    ours = np.array([value['2ddata', seed] for seed in SEEDS])
    theirs = np.array([value['2dpass', seed] for seed in SEEDS])
    means, spread = ours.mean(0), ours.std(0, ddof=1)
    expected = [f'{m:.2f} ± {s:.2f}' for m, s in zip(means, spread)]
    gain = (ours - theirs)[:, :2]
    expected += [f'{m:+.2f} ± {s:.2f}' for m, s in zip(gain.mean(0), gain.std(0, ddof=1))]
    assert rows['2ddata'] == ['0, 1, 2', *expected]
    assert rows['2dpass'][4:6] == ['', ''], 'no difference to itself'
    pairs = np.array([value['boxes-1', seed] - value['2dpass', seed] for seed in SEEDS[:2]])[:, 0]
    assert rows['boxes-1'][4] == f'{pairs.mean():+.2f} ± {pairs.std(ddof=1):.2f}', 'paired by seed'
    assert list(rows)[2:] == ['2dpass', '2ddata', 'boxes-1']
    assert '±' not in study.table.table(runs[:1]), 'one seed has no spread'
    assert 'nan' not in text
    threads = max(1, os.cpu_count() // 2)
    assert f'8 with 2 at once, {threads} thread' in text and 'load average' in text
    old = [{key: e[key] for key in e if key not in ('jobs', 'load_average')} for e in runs]
    assert '8 with an unrecorded number at once' in study.table.table(old)
    assert study.table.table(old).splitlines()[:-1] == text.splitlines()[:-1]


def test_readme_and_picture(study, tmp_path, repo_root, monkeypatch):
    finished(study, tmp_path)
    page = tmp_path / 'README.md'
    page.write_text((repo_root / 'projects/2DDATA/README.md').read_text())
    (tmp_path / 'results').mkdir()
    (tmp_path / 'cpu.json').rename(tmp_path / 'results' / 'cpu.json')
    monkeypatch.setattr(study.main, 'PROJECT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['run_study.py', '--table'])
    monkeypatch.chdir(tmp_path)
    study.main.main()
    once = page.read_text()
    study.main.main()
    assert page.read_text() == once and once.count('| branch-alone |') == 3 and once.count('| 2dpass |') == 2
    assert '| boxes-3 | 5,000 | 0.912 | 0.840 | 0.800 | 0.950 |' in once
    pixels = np.asarray(Image.open(tmp_path / 'results/cpu.png').convert('RGB')).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 20
    page.write_text('no markers')
    with pytest.raises(SystemExit, match='README.md has 0 pairs of the lines'):
        study.main.main()


def test_table_needs_a_run(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study.main, 'PROJECT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['run_study.py', '--table', '--size', 'gpu'])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='gpu.json holds no finished run'):
        study.main.main()


def test_interest_scores(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['interest_scores.py', str(tmp_path)])
    with pytest.raises(SystemExit, match='holds no log of a validation or a test'):
        study.scores.main()
    logged = scores_of('any')
    for path in ('a/vis_data/scalars.json', 'b/b.json'):  # a training, then a test of it
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(json.dumps(dict(logged, iou_car=0.5 if path[0] == 'b' else 0.1)) + '\n')
        os.utime(tmp_path / path, (ord(path[0]),) * 2)
    study.scores.main()
    lines = capsys.readouterr().out.splitlines()
    printed = {line.split()[0]: line.split()[-1] for line in lines[1:]}
    assert lines[0] == str(tmp_path / 'b/b.json') and printed['car'] == '50.00' and printed['trailer'] == '–'
    values = {**{name: logged[f'iou_{name}'] for name in CLASSES}, 'car': 0.5}
    interest = ('pedestrian', 'bicycle', 'car', 'truck', 'motorcycle')
    assert printed['interest'] == f'{100 * np.mean([values[name] for name in interest]):.2f}'
    others = [values[name] for name in values if name not in interest]
    assert len(others) == 11 and printed['other'] == f'{100 * np.nanmean(others):.2f}'
    assert printed['miou'] == f'{100 * np.nanmean(list(values.values())):.2f}'
