"""The CISP study: commands, and its tables against plain numpy. No training: a stand-in writes what runs leave."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from study_modules import study_modules

from mmfusion_plugin.apis.study import Results, Run, Usage, run_all
from mmfusion_plugin.synthetic.shapenet import CISP_SHARES

SEEDS = [0, 1, 2]
WAYS = [f'{way}_top{k}' for way in ('i2s', 's2i') for k in (1, 5, 10)]
SHAPES = ['iou_mean', 'iou_best', 'f_score_mean', 'f_score_best', 'cd_mean', 'nna_cd', 'cov_cd', 'mmd_cd', 'empty']
DIGITS = [1, 1, 1, 1, 2, 1, 1, 2, 1]
EMD = ['iou_mean', 'f_score_mean', 'emd_mean', 'nna_emd', 'cov_emd', 'mmd_emd']
PATH_KEYS = [f'{mode}_{kind}_{key}' for mode in ('lerp', 'slerp') for kind in ('within', 'across')
             for key in ('mean_step', 'max_step', 'ends')]  # fmt: skip
MODULES = dict(commands='study_commands', sizes='study_sizes', pictures='study_pictures')


@pytest.fixture
def study(repo_root: Path) -> Iterator[SimpleNamespace]:
    """The project's modules."""
    with study_modules(repo_root / 'projects' / 'CISP', **MODULES) as modules:
        modules.size = modules.sizes.SIZES['cpu']
        yield modules


def keys_of(name: str) -> list[str]:
    """What is scored in a run."""
    if name.startswith('cisp'):
        return WAYS
    return EMD if '-emd' in name else SHAPES


def scores_of(name: str) -> np.ndarray:
    """(2, S): scores (times 100) of two categories."""
    return 100 * np.random.default_rng(list(name.encode())).random((2, len(keys_of(name))))


def paths_of(name: str) -> dict:
    values = np.random.default_rng(list(name.encode())).random(len(PATH_KEYS))
    more = {'lerp_empty': values[0], 'slerp_empty': values[1]} if 'ic3d-cisp' in name else {}
    return {'shapes': 8, 'pairs_within': 5, 'pairs_across': 5, **dict(zip(PATH_KEYS, values.tolist())), **more}


class Stub:
    """Leaves what a run leaves, with scores that follow from its folder's name."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def __call__(self, command: list, work_dir: Path, threads: int) -> Usage:
        name = work_dir.name
        self.begun.append(name)
        for word in command:
            if word.split('=')[-1].endswith('.pth'):
                assert Path(word.split('=')[-1]).is_file(), f'{name} begins before its weights are there'
        if '-paths' in name:
            (work_dir / 'paths.json').write_text(json.dumps(paths_of(name)))
            return Usage(seconds=1.0, peak_memory_mb=None)
        if 'tools/train.py' in command:
            log = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
            log.parent.mkdir(parents=True)
            ends = {'i2s_top1': 1.0, 'accuracy/top1': 75.0, 'noise_error': 0.25}
            log.write_text(json.dumps(dict(loss=1.0, time=2.0)) + '\n' + json.dumps(ends) + '\n')
            (work_dir / ('iter_200.pth' if 'ic3d' not in name else 'iter_800.pth')).touch()
        if 'ic3d' not in name or 'tools/test.py' in command:
            write_report(work_dir / 'scores', keys_of(name), scores_of(name))
        return Usage(seconds=60.0, peak_memory_mb=None)


def write_report(folder: Path, keys: list[str], scores: np.ndarray) -> None:
    """As the metrics do, see ``test_cisp_scripts.test_random_shapes_as_the_study_reads_them``."""
    folder.mkdir(parents=True)
    names = ['aeroplane', 'chair', 'mean over categories', 'mean over samples']
    with open(folder / 'categories.csv', 'w', newline='') as file:
        rows = csv.writer(file)
        rows.writerow(['category', 'synset', 'samples', *keys])
        for name, values in zip(names, [*scores, scores.mean(axis=0), [0] * len(keys)]):
            rows.writerow([name, '', 60, *values])
    (folder / 'categories.md').write_text(f'| table |\n\nby {keys[0]}\n')


def finished(study: SimpleNamespace, folder: Path, names: list | None = None, stub: Stub | None = None) -> Results:
    results = study.runs.open_results(folder / 'cpu.json', study.size)
    runs = study.plan.plan_runs(study.size, names or list(study.plan.VARIANTS), SEEDS)
    tasks = study.runs.tasks(study.size, runs, folder / 'work')
    run_all(tasks, results, 2, study.runs.score, stub or Stub(), study.runs.summary)
    return results


# --- commands ---------------------------------------------------------------------------------------------------------


def parsed(command: list, repo_root: Path, monkeypatch, tool: str) -> Config:
    """The config as the real tool's own code reads its command."""
    from mmfusion_plugin.engine.launch import load_config

    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(sys, 'argv', command[1:])
    assert command[1] == f'tools/{tool}.py'
    return load_config(importlib.import_module(tool).parse_args())


@pytest.mark.parametrize('name', ['cpu', 'gpu'])
def test_trainings(study, name, repo_root, monkeypatch):
    """Alike in all but what is compared."""
    size = study.sizes.SIZES[name]
    cfgs = {variant: parsed(study.commands.training_command(size, Run(variant, 7), Path('w'), Path('w') / variant),
                            repo_root, monkeypatch, 'train') for variant in size.trainings}  # fmt: skip
    assert ('classifier' in cfgs) == (name == 'cpu')
    for variant, cfg in cfgs.items():
        train, val, test = (cfg[f'{split}_dataloader'].dataset for split in ('train', 'val', 'test'))
        assert {part.data_root for part in (train, val, test)} == {f'{size.data_root}/'}
        assert (train.part, test.part, val.views, test.views) == ('train', 'test', [0], [0])
        assert train.num_views == test.num_views == size.views and train.categories == cfgs['cisp'].categories
        assert val.part == ('val' if variant.startswith('ic3d') else 'test'), 'the denoisers may follow their error'
        assert cfg.randomness.seed == 7 and cfg.default_hooks.checkpoint.save_best is None
        length = cfg.train_cfg.get('max_iters') or cfg.train_cfg.max_epochs
        assert length == cfg.default_hooks.checkpoint.interval == size.trainings[variant].length
    embedders = [cfgs[variant] for variant in study.plan.EMBEDDERS]
    for variant, cfg in zip(study.plan.EMBEDDERS, embedders):
        assert cfg.optim_wrapper == embedders[0].optim_wrapper and cfg.val_evaluator.out_dir == f'w/{variant}/scores'
        assert cfg.train_dataloader.batch_size == (16 if variant == 'cisp-batch-16' else 64)
        backbone = cfg.model.image_encoder.backbone
        assert backbone == embedders[0].model.image_encoder.backbone
        assert ('init_cfg' in backbone) == (name == 'gpu')
    assert len({cfg.model.shape_encoder.backbone.type for cfg in embedders[:2]}) == 2
    widths = [cfg.model.image_encoder.get('embed_channels', 256) for cfg in embedders]
    assert widths[3] < widths[0] == widths[1] == widths[2]
    denoisers = [cfgs[variant] for variant in study.plan.DENOISERS]
    for cfg in denoisers:
        assert cfg.optim_wrapper == denoisers[0].optim_wrapper and cfg.custom_hooks == denoisers[0].custom_hooks
        assert cfg.model.sampling == denoisers[0].model.sampling and cfg.model.sampling.steps == size.steps
        assert cfg.train_dataloader.batch_size == denoisers[0].train_dataloader.batch_size
        same = {key: value for key, value in cfg.model.denoiser.items() if key != 'embed_dim'}
        assert same == {key: value for key, value in denoisers[0].model.denoiser.items() if key != 'embed_dim'}
    weights = denoisers[0].model.image_encoder.init_cfg.checkpoint
    assert weights == f'w/cisp_seed7/{size.trainings["cisp"].checkpoint}' and denoisers[2].model.image_encoder is None
    assert denoisers[1].model.image_encoder.type.startswith('mmpretrain.')
    if name == 'cpu':
        assert denoisers[1].model.image_encoder.init_cfg.checkpoint == 'w/classifier_seed7/iter_200.pth'
        assert cfgs['classifier'].model.image_backbone == embedders[0].model.image_encoder.backbone


@pytest.mark.parametrize('name', ['cpu', 'gpu'])
def test_tests(study, name, repo_root, tmp_path, monkeypatch):
    """Each test of a training differs from the next in what is compared alone."""
    size, cfgs = study.sizes.SIZES[name], {}
    for variant, test in size.tests.items():
        run = Run(test.trained, 7)
        config, weights = study.commands.trained_files(size, run, tmp_path)
        if not config.is_file():
            command = study.commands.training_command(size, run, tmp_path, tmp_path / run.name)
            written = parsed(command, repo_root, monkeypatch, 'train').to_dict()
            config.parent.mkdir()
            config.write_text(''.join(f'{key} = {value!r}\n' for key, value in written.items()))
        command = study.commands.measuring_command(size, Run(variant, 7), tmp_path, Path('w'))
        assert command[2:4] == [str(config), str(weights)]
        cfgs[variant] = parsed(command, repo_root, monkeypatch, 'test')
    for variant, cfg in cfgs.items():
        assert cfg.test_evaluator.out_dir == 'w/scores' and cfg.test_dataloader.dataset.part == 'test'
        pictures = cfg.test_dataloader.dataset.get('data_prefix', {}).get('img', '')
        assert pictures == (f'../{Path(size.sketches).name}' if variant.endswith('sketches') else '')
        assert (Path(size.data_root) / pictures).resolve() == Path(
            size.sketches if pictures else size.data_root).resolve()  # fmt: skip
        if variant.startswith('ic3d'):
            sampling, whole = cfg.model.sampling, variant.endswith('-shapes')
            assert sampling.num_samples == (size.samples if whole else 1)
            steps = {'ic3d-cisp-half-steps': size.steps // 2, 'ic3d-cisp-twice-steps': 2 * size.steps}
            assert sampling.steps == steps.get(variant, size.steps)
            guidance = {'ic3d-cisp-w0': 0, 'ic3d-cisp-w3': 3}
            assert sampling.guidance == guidance.get(variant, 1.5)
            by_emd = variant.endswith('-emd')
            assert (cfg.test_evaluator.points, cfg.test_evaluator.emd) == ((512, 'exact') if by_emd else (2048, 'none'))
            assert cfg.test_evaluator.get('set_distances', ['cd']) == (['emd'] if by_emd else ['cd'])


def test_what_is_needed_comes_first_and_nothing_runs_twice(study, tmp_path):
    stub = Stub()
    finished(study, tmp_path, ['ic3d-cisp-w0', 'random'], stub)
    assert sorted(stub.begun) == sorted(f'{name}_seed{seed}' for seed in SEEDS
                                        for name in ('cisp', 'ic3d-cisp', 'ic3d-cisp-w0', 'random'))  # fmt: skip
    again = Stub()
    finished(study, tmp_path, ['ic3d-cisp-w0', 'random'], again)
    assert again.begun == []


def test_what_a_size_does_not_train_is_not_planned(study):
    large = study.sizes.SIZES['gpu']
    planned = study.plan.plan_runs(large, ['classifier', 'ic3d-images-shapes'], [4])
    assert planned == [Run('ic3d-images', 4), Run('ic3d-images-shapes', 4)]
    core = set(study.plan.CORE)
    assert core < set(study.plan.VARIANTS) and not any(name.endswith('-emd') for name in core)


def test_a_changed_config_spoils_what_follows_from_it_alone(study, tmp_path, monkeypatch):
    finished(study, tmp_path, ['ic3d-cisp-w0', 'cisp-cnn', 'retrieved', 'random'])
    before = study.plan.decisive_settings
    path = str(study.plan.ROOT / study.size.trainings['cisp'].config)
    changed = lambda cfg: {**before(cfg), **({'seen': 1} if cfg.filename == path else {})}  # noqa: E731
    monkeypatch.setattr(study.plan, 'decisive_settings', changed)
    with pytest.raises(ValueError) as error:
        study.runs.open_results(tmp_path / 'cpu.json', study.size)
    named = [f'config of {name}' for name in ('cisp', 'ic3d-cisp', 'ic3d-cisp-w0', 'retrieved')]
    assert f'({", ".join(named)})' in str(error.value)


def test_timing_needs_no_other_training(study, repo_root, monkeypatch):
    for name in ('cpu', 'gpu'):
        size = study.sizes.SIZES[name]
        for variant in size.trainings:
            command = study.runs.timing_command(size, variant, Path('w'))
            cfg = parsed(command, repo_root, monkeypatch, 'train')
            end = cfg.train_cfg.get('max_iters') or cfg.train_cfg.max_epochs
            assert end < cfg.train_cfg.val_begin and not any('_seed' in word for word in command)
            if size.trainings[variant].unit == 'epochs':
                batches = cfg.train_dataloader.dataset.indices / cfg.train_dataloader.batch_size
                assert batches == study.runs.ITERATIONS
    encoder = parsed(study.runs.timing_command(study.size, 'ic3d-cisp', Path('w')), repo_root, monkeypatch, 'train')
    assert encoder.model.image_encoder.init_cfg is None


def first_weights_left(cfg: Config, models: int) -> float:
    """Share of the weights before training in their moving average after it."""
    (momentum,) = (hook.momentum for hook in cfg.custom_hooks if hook.type == 'EMAHook')
    batches = models // cfg.train_dataloader.batch_size
    return (1 - momentum) ** (cfg.train_cfg.get('max_iters') or cfg.train_cfg.max_epochs * batches)


@pytest.mark.parametrize('name', ['cpu', 'gpu'])
def test_moving_averages_forget_the_first_weights(study, name, repo_root, monkeypatch):
    size = study.sizes.SIZES[name]
    for variant in study.plan.DENOISERS:
        command = study.commands.training_command(size, Run(variant, 0), Path('w'), Path('w') / variant)
        cfg = parsed(command, repo_root, monkeypatch, 'train')
        models = int(CISP_SHARES['train'] * size.models * len(cfg.categories))
        assert first_weights_left(cfg, models) < 0.01, variant


def test_moving_averages_of_configs_forget_the_first_weights(repo_root):
    paths = sorted((repo_root / 'configs/ic3d').glob('*.py'))
    assert paths and all(first_weights_left(Config.fromfile(path), 20_133) < 0.01 for path in paths)


# --- tables -----------------------------------------------------------------------------------------------------------


def spread(values: np.ndarray, digits: int, sign: str = '') -> str:
    return f'{values.mean():{sign}.{digits}f} ± {values.std(ddof=1):.{digits}f}'


def of_seeds(name: str) -> np.ndarray:
    """(3, S) means over categories."""
    return np.stack([scores_of(f'{name}_seed{seed}').mean(axis=0) for seed in SEEDS])


def test_tables_against_numpy(study, tmp_path):
    text, labels = study.table.tables(finished(study, tmp_path).runs), study.table.LABELS
    first = of_seeds('cisp')
    for name in ('cisp-cnn', 'cisp-batch-16', 'cisp-narrow', 'cisp-sketches', 'cisp-cnn-sketches'):
        found = of_seeds(name)
        cells = [spread(found[:, i], 1) for i in range(6)] + [spread((found - first)[:, i], 1, '+') for i in (0, 3)]
        label = labels[name.replace('-sketches', '')] + ('; sketches' if 'sketches' in name else '')
        assert f'| {label} | 0, 1, 2 | {" | ".join(cells)} |' in text
    assert '| chance: k of 60 | – | 1.7 | 8.3 | 16.7 | 1.7 | 8.3 | 16.7 |' in text
    assert '| the category alone: k of 12 | – | 8.3 | 41.7 | 83.3 | 8.3 | 41.7 | 83.3 |' in text
    guided = of_seeds('ic3d-cisp-shapes')
    rows = {'ic3d-images-shapes': 'ic3d-images', 'retrieved': 'retrieved', 'random': 'random',
            'random-category': 'random-category', 'ic3d-unguided-shapes': 'ic3d-unguided'}  # fmt: skip
    for name, label in rows.items():
        found = of_seeds(name)
        cells = [spread(found[:, i], digits) for i, digits in enumerate(DIGITS)]
        assert f'| {labels[label]} | 0, 1, 2 | {" | ".join(cells)} | {spread((found - guided)[:, 0], 1, "+")} |' in text
    each = np.stack([[scores_of(f'{name}_seed{seed}')[1, 0] for seed in SEEDS] for name in study.table.DRAWN])
    assert f'| chair | {" | ".join(spread(values, 1) for values in each)} |' in text
    assert f'| {labels["ic3d-cisp"]} | 0, 1, 2 | {spread(of_seeds("ic3d-cisp-emd")[:, 2], 2)} |' in text
    drawn, pictured = of_seeds('ic3d-cisp-sketches'), of_seeds('ic3d-cisp-one')
    cells = [cell for i in (0, 2) for cell in (spread(pictured[:, i], 1), spread(drawn[:, i], 1),
                                               spread((drawn - pictured)[:, i], 1, '+'))]  # fmt: skip
    assert f'| {labels["ic3d-cisp"]} | 0, 1, 2 | {" | ".join(cells)} |' in text
    stronger = of_seeds('ic3d-cisp-w3')
    cells = [spread(stronger[:, i], DIGITS[i]) for i in (0, 2, 5, 6, 7, 8)]
    assert f'| w = 3 | 0, 1, 2 | {" | ".join(cells)} |' in text
    ways = {key: np.array([paths_of(f'ic3d-images-paths_seed{seed}')[key] for seed in SEEDS]) for key in PATH_KEYS}
    cells = [spread(ways[key], 3) for key in PATH_KEYS if key.startswith('slerp')]
    assert f'| {labels["ic3d-images"]}, slerp | 0, 1, 2 | {" | ".join(cells)} |' in text
    assert '5 pairs within categories, 5 across; 8 shapes' in text
    shares = np.array([[paths_of(f'ic3d-cisp-paths_seed{seed}')[f'{mode}_empty'] for mode in ('lerp', 'slerp')]
                       for seed in SEEDS])  # fmt: skip
    both = f'{spread(100 * shares[:, 0], 1)} (lerp), {spread(100 * shares[:, 1], 1)} (slerp)'
    assert f'steps are 0, in %: {labels["ic3d-cisp"]} {both}.' in text, 'and none of a run that did not count them'
    assert 'names the category of 75.0 ± 0.0 % of the test pictures' in text and f'{labels["ic3d-cisp"]} 25.00' in text
    assert 'Scored: 60 pictures; by i2s_top1.' in text and 'Scored: 60 pictures; by iou_mean.' in text
    assert 'Trainings: 24 with 2 at once' in text


def test_unfinished_tables_are_left_out(study, tmp_path):
    results = finished(study, tmp_path, ['random', 'cisp-cnn'])
    text = study.table.tables(results.runs)
    assert 'chance' in text and '| random training shape | 0, 1, 2 |' in text
    assert not any(word in text for word in ('sketches', 'unguided', 'paths', 'noise'))
    assert set(study.pictures.bars(tmp_path, 'cpu', results.runs)) == {'Top-1 both ways', 'IoU and F-score'}
    assert study.pictures.shapes_grid(tmp_path / 'x.png', tmp_path, '') is None
    assert study.pictures.paths_strip(tmp_path / 'x.png', tmp_path, '') is None and not (tmp_path / 'x.png').exists()
