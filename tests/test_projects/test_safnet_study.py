"""The SAFNet study: commands, the image network that comes first, and its tables against plain numpy. No training: a
stand-in writes logs and checkpoints."""

from __future__ import annotations

import copy
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from study_modules import study_modules

from mmfusion_plugin.apis.study import Results, Run, Usage, run_all
from mmfusion_plugin.converters.scannet_taxonomy import CLASSES

SEEDS = [0, 1, 2]
COLOUR = ('picture', 'curtain', 'door', 'window')
IMAGES = ('mvpnet', 'baseline', 'gsm-fs', 'gsm-bs', 'gsm', 'csm', 'aux', 'unp', 'safnet')  # variants that have images
VARIANTS = ('views', 'pointnet2', 'pointnet2-rgb', *IMAGES)
SYSTEMS = ('pointnet2', 'mvpnet', 'safnet')


@pytest.fixture
def study(repo_root: Path) -> Iterator[SimpleNamespace]:
    """The project's modules."""
    with study_modules(repo_root / 'projects' / 'SAFNet', robustness='study_robustness') as modules:
        modules.size = modules.plan.SIZES['cpu']
        yield modules


class Stub:
    """Writes the log of a training whose IoU follow from its folder's name, and a checkpoint; checks what it loads."""

    def __init__(self) -> None:
        self.called = []

    def __call__(self, command: list, work_dir: Path, threads: int) -> Usage:
        self.called.append(work_dir.name)
        options = dict(word.split('=', 1) for word in command[command.index('--cfg-options') + 1 :])
        assert options['load_from'] == 'None' or Path(options['load_from']).is_file()
        log = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        rows = [dict(loss=1.0, time=2.0), scores_of(work_dir.name)]
        log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
        (work_dir / f'iter_{options["train_cfg.max_iters"]}.pth').touch()
        (work_dir / Path(command[2]).name).touch()
        return Usage(seconds=120.0, peak_memory_mb=500.0)


def scores_of(name: str) -> dict:
    """A validation as ``ScanNetSegMetric`` logs it; one class occurs nowhere."""
    iou = dict(zip(CLASSES, np.random.default_rng(sum(map(ord, name))).random(20)))
    iou['shower curtain'] = float('nan')
    return dict(miou=float(np.nanmean(list(iou.values()))), **{f'iou_{name}': value for name, value in iou.items()})


def finished(study: SimpleNamespace, folder: Path, variants: tuple = VARIANTS) -> tuple[Results, Stub]:
    stub, results = Stub(), study.runs.open_results(folder / 'cpu.json', study.size)
    runs = study.plan.plan_runs(list(variants), SEEDS)
    run_all(study.runs.tasks(study.size, runs, folder / 'work'), results, 2, study.runs.score, stub)
    return results, stub


def trained_configs(study: SimpleNamespace, size: object, repo_root: Path, monkeypatch) -> dict[str, Config]:
    """What the real tool would train of each variant."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    from train import parse_args

    from mmfusion_plugin.engine.launch import apply_train_arguments, load_config

    monkeypatch.chdir(repo_root)
    found = {}
    for task in study.runs.tasks(size, study.plan.plan_runs(list(VARIANTS), [7]), Path('w')):
        monkeypatch.setattr(sys, 'argv', task.command[1:])
        args = parse_args()
        found[task.run.variant] = load_config(args)
        apply_train_arguments(found[task.run.variant], args)
    return found


@pytest.mark.parametrize('name', ['cpu', 'gpu'])
def test_commands_configure_the_variant(study, name, repo_root, monkeypatch):
    """Parsed by the real tool's own code: what the training would see."""
    size = study.plan.SIZES[name]
    cfgs = trained_configs(study, size, repo_root, monkeypatch)
    assert tuple(cfgs) == VARIANTS
    for variant, cfg in cfgs.items():
        training = size.trainings[variant]
        assert cfg.randomness.seed == 7 and cfg.work_dir == f'w/{variant}_seed7'
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            assert loader.dataset.data_root == f'{size.data_root}/'
        key = 'max_iters' if cfg.train_cfg.type == 'IterBasedTrainLoop' else 'max_epochs'
        hook = cfg.default_hooks.checkpoint
        assert cfg.train_cfg[key] == cfg.train_cfg.val_interval == hook.interval == training.length
        assert hook.get('by_epoch', True) == (key == 'max_epochs') and hook.save_best is None
        assert training.checkpoint == f'{key[4:-1]}_{training.length}.pth'
        first = f'w/views_seed7/{size.trainings["views"].checkpoint}'
        assert cfg.load_from == (first if variant in IMAGES else None)
    assert cfgs['views'].model.type == 'ViewSegmentor' and cfgs['pointnet2'].model.type == 'PointSetSegmentor'
    for variant in IMAGES:
        assert cfgs[variant].model.type == ('MVPNet' if variant == 'mvpnet' else 'SAFNet')
        image, alone = cfgs[variant].model.image_backbone, cfgs['views'].model.image_backbone
        assert [image.get(key) for key in ('depth', 'base_channels')] == [
            alone.get(key) for key in ('depth', 'base_channels')], 'weights must fit'
    for variant in study.plan.ABLATION:
        assert cfgs[variant].optim_wrapper == cfgs['safnet'].optim_wrapper
        assert cfgs[variant].train_cfg == cfgs['safnet'].train_cfg
    assert cfgs['baseline'].model.geometric is None and cfgs['gsm'].model.geometric is not None
    assert cfgs['gsm'].model.contextual is None and cfgs['csm'].model.contextual is not None
    assert cfgs['unp'].model.fusion.attention is None and cfgs['safnet'].model.fusion.attention is not None


def test_systems_learn_for_as_long(study, repo_root):
    """As many iterations of as many chunks, so that a difference is not one of training time."""
    for size in study.plan.SIZES.values():
        seen = []
        for name in SYSTEMS:
            training, cfg = size.trainings[name], Config.fromfile(repo_root / size.trainings[name].config)
            batch = cfg.train_dataloader.batch_size
            epoch = (size.scenes - size.val_scenes) // batch if training.unit == 'epochs' else 1
            seen.append(batch * epoch * training.length)
        assert len(set(seen)) == 1


def test_the_image_network_comes_first(study):
    plan_runs = study.plan.plan_runs
    assert [run.name for run in plan_runs(['safnet', 'pointnet2'], [0, 1])] == [
        f'{name}_seed{seed}' for seed in (0, 1) for name in ('views', 'safnet', 'pointnet2')]
    assert plan_runs(['pointnet2'], [0]) == [Run('pointnet2', 0)]
    assert [run.variant for run in plan_runs(['safnet', 'views'], [0])] == ['views', 'safnet']
    tasks = study.runs.tasks(study.size, plan_runs(list(VARIANTS), [0]), Path('w'))
    assert {task.run.variant for task in tasks if task.needs == Run('views', 0)} == set(IMAGES)


def test_a_lost_image_network_is_trained_again(study, tmp_path):
    _, first = finished(study, tmp_path, ('pointnet2', 'mvpnet'))
    assert sorted(first.called) == sorted(f'{name}_seed{s}' for name in ('views', 'pointnet2', 'mvpnet') for s in SEEDS)
    (tmp_path / 'work' / 'views_seed1' / study.size.trainings['views'].checkpoint).unlink()
    assert finished(study, tmp_path, ('pointnet2', 'mvpnet'))[1].called == []
    _, second = finished(study, tmp_path, ('mvpnet', 'safnet'))
    assert sorted(second.called) == ['safnet_seed0', 'safnet_seed1', 'safnet_seed2', 'views_seed1']
    runs = json.loads((tmp_path / 'cpu.json').read_text())['runs']
    assert [entry['variant'] for entry in runs] == ['views', 'pointnet2', 'mvpnet', 'safnet'] * 3


def test_entries_hold_what_was_logged(study, tmp_path):
    finished(study, tmp_path, ('safnet',))
    entry = json.loads((tmp_path / 'cpu.json').read_text())['runs'][3]
    logged = scores_of('safnet_seed1')
    assert (entry['variant'], entry['seed'], entry['miou']) == ('safnet', 1, logged['miou'])
    assert entry['iou']['shower curtain'] is None and entry['iou']['wall'] == logged['iou_wall']
    assert entry['colour'] == pytest.approx(np.mean([logged[f'iou_{name}'] for name in COLOUR]))
    others = [value for key, value in logged.items() if key.startswith('iou_') and key[4:] not in COLOUR]
    assert len(others) == 16 and entry['other'] == pytest.approx(np.nanmean(others))
    assert entry['config'] == 'configs/safnet/safnet-tiny_1xb4_synthetic-scannet.py'
    assert entry['command'].startswith('python tools/train.py configs/safnet/')


def test_digests_follow_configs_and_the_image_network(study, monkeypatch):
    before = study.size.settings()['digests']
    assert len(set(before.values())) == len(VARIANTS), 'no two variants are the same'
    others = study.plan.load_config
    for name, changed in {'safnet': {'safnet'}, 'views': {'views', *IMAGES}, 'pointnet2': {'pointnet2'}}.items():
        path = study.size.trainings[name].config
        cfg = copy.deepcopy(others(path))
        cfg.optim_wrapper.optimizer.lr *= 2
        monkeypatch.setattr(study.plan, 'load_config', lambda p, path=path, cfg=cfg: cfg if p == path else others(p))
        after = study.size.settings()['digests']
        assert {key for key in before if before[key] != after[key]} == changed
    monkeypatch.undo()
    longer = dataclasses.replace(study.size.trainings['gsm'], length=500)
    size = dataclasses.replace(study.size, trainings={**study.size.trainings, 'gsm': longer})
    assert {key for key, value in size.settings()['digests'].items() if value != before[key]} == {'gsm'}
    assert json.loads(json.dumps(size.settings())) == size.settings(), 'as it is read back'


def test_world_commands_are_understood(study, repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import create_data
    import make_synthetic

    make, convert = study.plan.world_commands(study.size, 3)
    monkeypatch.setattr(sys, 'argv', make[1:])
    made = make_synthetic.parse_args()
    size = study.size
    assert (made.scenes, made.val_scenes, made.test_scenes) == (size.scenes, size.val_scenes, 0)
    assert (made.frames, made.mesh_edge, made.workers) == (size.frames, size.mesh_edge, 3)
    assert tuple(made.color_size) == tuple(made.depth_size) == size.camera_size
    given = {}
    monkeypatch.setattr(create_data.scannet, 'run', lambda args: given.update(vars(args)))
    monkeypatch.setattr(sys, 'argv', convert[1:])
    assert create_data.main() == 0
    assert str(given['root_path']) == made.out and tuple(given['image_size']) == size.image_size
    assert str(given['out_dir']) == size.data_root


@pytest.mark.parametrize('name', ['cpu', 'gpu'])
def test_timing_command(study, name, repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    from train import parse_args

    from mmfusion_plugin.engine.launch import load_config

    monkeypatch.chdir(repo_root)
    size = study.plan.SIZES[name]
    for variant in SYSTEMS:
        monkeypatch.setattr(sys, 'argv', study.runs.timing_command(size, variant, Path('w'))[1:])
        cfg = load_config(parse_args())
        length = cfg.train_cfg.get('max_iters') or cfg.train_cfg.max_epochs * (
            (size.scenes - size.val_scenes) // cfg.train_dataloader.batch_size)
        assert length >= study.runs.ITERATIONS and cfg.load_from is None
        assert cfg.train_cfg.val_begin > (cfg.train_cfg.get('max_iters') or cfg.train_cfg.max_epochs)


def cells(table: str) -> dict[str, list[str]]:
    """Cells of a Markdown table by the first of their row."""
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows}


def spread(values: np.ndarray, sign: str = '') -> str:
    return f'{values.mean():{sign}.2f} ± {values.std(ddof=1):.2f}'


def test_tables_against_numpy(study, tmp_path):
    runs = finished(study, tmp_path)[0].runs
    main, ablation, classes, sentence, _ = study.table.tables(runs).split('\n\n')
    logged = {name: [scores_of(f'{name}_seed{seed}') for seed in SEEDS] for name in VARIANTS}
    miou = {name: 100 * np.array([row['miou'] for row in rows]) for name, rows in logged.items()}
    colour = {name: 100 * np.array([np.mean([row[f'iou_{label}'] for label in COLOUR]) for row in rows])
              for name, rows in logged.items()}  # fmt: skip
    found = cells(main)
    assert list(found)[2:] == list(VARIANTS[1:]), 'the image network is scored over pixels'
    assert found['csm'][:3] == ['0, 1, 2', spread(miou['csm']), spread(colour['csm'])]
    assert found['csm'][4:] == [spread(v['csm'] - v['mvpnet'], '+') for v in (miou, colour)]
    assert found['mvpnet'][4:] == ['', '']
    found = cells(ablation)
    assert list(found)[2:] == [*IMAGES[1:]]
    assert found['aux'][1:] == ['csm', '67.9', '+1.4', spread(miou['aux']), spread(miou['aux'] - miou['csm'], '+')]
    assert found['gsm-bs'][1:4] == ['baseline', '62.8', '+1.3'] and found['baseline'][1:4] == ['', '61.5', '']
    assert found['safnet'][1:4] == ['unp', '68.5', '+0.2'] and found['gsm'][1:4] == ['baseline', '64.2', '+2.7']
    found = cells(classes)
    assert set(list(found)[2:6]) == set(COLOUR) and len(found) == 22 and found['class'] == list(SYSTEMS)
    doors = np.array([row['iou_door'] for row in logged['safnet']])
    assert found['door'][2] == spread(100 * doors) and found['shower curtain'] == ['–'] * 3
    assert spread(miou['views']) in sentence and 'over pixels' in sentence
    assert 'nan' not in study.table.tables(runs)


def test_tables_of_a_few_runs(study, tmp_path):
    runs = finished(study, tmp_path, ('pointnet2',))[0].runs
    text = study.table.tables(runs)
    assert cells(text.split('\n\n')[0])['pointnet2'][4:] == ['–', '–'] and 'as published' not in text
    assert '±' not in study.table.tables(runs[:1])


def damaged_rows() -> list[dict]:
    """Of the robustness tool, with one that former weights have left."""
    rng, rows = np.random.default_rng(0), []
    for name in SYSTEMS:
        for seed in SEEDS:
            given = [('intact', 0)] if name == 'pointnet2' else [('intact', 0), *(('views', v) for v in (1, 3, 0)),
                                                                  ('drop', 0.8), ('drop', 0.2)]
            rows += [dict(model=name, checkpoint=f'work/{name}_seed{seed}/iter_4.pth', kind=kind, value=value,
                          views=None if name == 'pointnet2' else 3, miou=rng.random()) for kind, value in given]
    return [dict(rows[-1], miou=9.0), *rows]


def test_damage_table_against_numpy(study, tmp_path):
    (tmp_path / 'robustness.json').write_text(json.dumps(damaged_rows()))
    Image.new('RGB', (4, 4)).save(tmp_path / 'robustness.png')
    study.robustness.keep_rows(tmp_path, tmp_path / 'cpu_robustness.json')
    rows = study.robustness.read_rows(tmp_path / 'cpu_robustness.json')
    assert (tmp_path / 'cpu_robustness.png').read_bytes() == (tmp_path / 'robustness.png').read_bytes()
    assert len(rows) == len(damaged_rows()) - 1 and all(row['miou'] < 1 for row in rows)

    def miou(name: str, kind: str, value: float) -> np.ndarray:
        return 100 * np.array([row['miou'] for seed in SEEDS for row in rows
                               if (row['model'], row['seed'], row['kind'], row['value']) == (name, seed, kind, value)])

    lines = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in study.robustness.damage_table(rows).splitlines()]
    assert [line[1] for line in lines[2:]] == ['', '3', '1', '0', '0.2', '0.8'], 'mild to severe'
    alone = spread(miou('pointnet2', 'intact', 0))
    for line, condition in zip(lines[2:], (('intact', 0), ('views', 3), ('views', 1), ('views', 0), ('drop', 0.2))):
        ours, theirs = miou('safnet', *condition), miou('mvpnet', *condition)
        assert line[2:6] == [alone, spread(theirs), spread(ours), spread(ours - theirs, '+')]
        both = {'mvpnet': theirs, 'safnet': ours}
        shares = [100 * (1 - damaged / miou(name, 'intact', 0)) for name, damaged in both.items()]
        losses = [f'{share.mean():.1f} ± {share.std(ddof=1):.1f}' for share in shares]
        assert line[6:] == (['', ''] if condition[0] == 'intact' else losses)


def test_robustness_command(study, tmp_path, repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import robustness

    with pytest.raises(ValueError, match=r'pointnet2_seed0/iter_\d+.pth is not there'):
        study.robustness.robustness_command(study.size, [0], tmp_path / 'work', tmp_path / 'out')
    finished(study, tmp_path, SYSTEMS)
    command = study.robustness.robustness_command(study.size, SEEDS, tmp_path / 'work', tmp_path / 'out')
    monkeypatch.setattr(sys, 'argv', command[1:])
    args = robustness.parse_args()
    assert args.out == tmp_path / 'out' and len(args.models) == 9
    assert [model[0] for model in args.models] == list(SYSTEMS) * 3
    assert args.views == [1, 3, 5, 10, 0] and args.pose_noise == [0.05, 0.1, 0.2] and args.black == []
    for name, config, checkpoint in args.models:
        assert Path(config).is_file() and Path(checkpoint).is_file(), 'the config that the training has written'
        assert f'{name}_seed' in config and Path(config).parent == Path(checkpoint).parent


def test_readme_and_pictures(study, tmp_path, repo_root, monkeypatch):
    results = tmp_path / 'results'
    page = tmp_path / 'README.md'
    page.write_text((repo_root / 'projects/SAFNet/README.md').read_text())
    finished(study, tmp_path)
    results.mkdir()
    (tmp_path / 'cpu.json').rename(results / 'cpu.json')
    monkeypatch.setattr(study.main, 'PROJECT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['run_study.py', '--table'])
    monkeypatch.chdir(tmp_path)
    study.main.main()
    once = page.read_text()
    study.main.main()
    assert page.read_text() == once and '(results/cpu.png)' in once and '(results/cpu_robustness.png)' not in once
    assert len(np.unique(np.asarray(Image.open(results / 'cpu.png').convert('RGB')).reshape(-1, 3), axis=0)) > 20
    (results / 'cpu_robustness.json').write_text(json.dumps(damaged_rows()[1:]))
    study.main.main()
    assert '(results/cpu_robustness.png)' in page.read_text() and '| Missing views | 0.8 |' in page.read_text()


def test_table_needs_a_run(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study.main, 'PROJECT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['run_study.py', '--table', '--size', 'gpu'])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='gpu.json holds no finished run'):
        study.main.main()
