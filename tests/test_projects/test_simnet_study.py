"""The SIM-Net study: commands, and its tables against plain numpy. No training: a stand-in writes logs."""

from __future__ import annotations

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
from mmfusion_plugin.apis.study.pool import pending_tasks

SEEDS = [0, 1, 2]
TRAITS = ('thorns', 'lobed', 'fruit')


@pytest.fixture
def study(repo_root: Path) -> Iterator[SimpleNamespace]:
    """The project's modules."""
    with study_modules(repo_root / 'projects' / 'SIM-Net', pictures='study_pictures', commands='study_commands',
                       colours='score_colours') as modules:
        modules.size = modules.plan.SIZES['cpu']
        yield modules


def scores_of(name: str) -> dict:
    """A validation as MMPreTrain and the mask metric log it."""
    accuracy, f1 = 50 + 50 * np.random.default_rng(sum(map(ord, name))).random(2)
    return {'accuracy/top1': accuracy, 'single-label/f1-score': f1, 'iou': accuracy / 100, 'dice': f1 / 100}


class Stub:
    """Leaves what a run leaves, with scores that follow from its folder's name."""

    def __call__(self, command: list, work_dir: Path, threads: int) -> Usage:
        if work_dir.name.startswith('unet'):
            (work_dir / 'iter_300.pth').touch()
            (work_dir / 'masks').mkdir()
            (work_dir / 'masks' / 'make_masks.json').touch()
        accuracy, f1 = list(scores_of(work_dir.name).values())[:2]
        (work_dir / 'colours.json').write_text(json.dumps({'accuracy': accuracy / 100, 'f1': f1 / 100}))
        log = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        rows = [dict(loss=1.0, time=2.0), scores_of(work_dir.name)]
        log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
        return Usage(seconds=60.0, peak_memory_mb=None)


def finished(study: SimpleNamespace, folder: Path, variants: list | None = None) -> Results:
    results = study.runs.open_results(folder / 'cpu.json', study.size)
    runs = study.commands.plan_runs(variants or list(study.plan.VARIANTS), SEEDS)
    tasks = study.runs.tasks(study.size, runs, folder / 'work')
    run_all(tasks, results, 2, study.runs.score, Stub(), study.runs.summary)
    return results


def configured(study: SimpleNamespace, size: str, repo_root: Path, monkeypatch) -> dict[str, Config]:
    """Each variant's config as the real tool's own code reads its command."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    from train import parse_args

    from mmfusion_plugin.engine.launch import apply_train_arguments, load_config

    monkeypatch.chdir(repo_root)
    cfgs = {}
    for name, variant in study.plan.VARIANTS.items():
        if variant.system == 'colours':
            continue
        masks = '/m' if variant.masks == 'unet' else ''
        command = study.commands.training_command(study.plan.SIZES[size], Run(name, 7), Path('w'), masks)
        monkeypatch.setattr(sys, 'argv', command[1:])
        args = parse_args()
        cfgs[name] = load_config(args)
        apply_train_arguments(cfgs[name], args)
    return cfgs


@pytest.mark.parametrize('size', ['cpu', 'cpu-outlines', 'gpu'])
def test_commands_configure_the_variant(study, size, repo_root, monkeypatch):
    cfgs = configured(study, size, repo_root, monkeypatch)
    full = cfgs['simnet-fruit']
    for name, cfg in cfgs.items():
        train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
        trait = next(trait for trait in TRAITS if trait in name.split('-'))
        assert train.trait == val.trait == trait and cfg.randomness.seed == 7 and cfg.work_dir == 'w'
        assert train.data_root == val.data_root == f'{study.plan.SIZES[size].data_root}/'
        assert (train.split, val.split) == ('train', 'val') and 'few_shot' not in val
        masks = 'masks_complete' if 'complete' in name else '/m' if 'unet' in name else 'masks_selected'
        assert train.mask_root == val.mask_root == masks
        shots = [int(part[:-5]) for part in name.split('-') if part.endswith('shots')]
        assert train.few_shot == (shots[0] if shots else None) and train.few_shot_seed == 7
        assert cfg.optim_wrapper == full.optim_wrapper and cfg.default_hooks.checkpoint.save_best is None
        assert cfg.model.head == full.model.head
        assert (cfg.model.image_backbone is None) == name.startswith('pointnet')
        assert (cfg.model.point_backbone is None) == name.startswith('image')
    expected = {'image': 'concat', 'point-to-image': 'point-to-image', 'image-to-point': 'image-to-point'}
    for name, fusion in expected.items():
        key = 'image-fruit' if name == 'image' else f'simnet-{name}-fruit'
        direction = cfgs[key].model.fusion
        assert (direction if isinstance(direction, str) else direction['direction']) == fusion
    steps = {name: {step['type']: step for step in cfg.train_dataloader.dataset.pipeline} for name, cfg in cfgs.items()}
    assert steps['simnet-102points-fruit']['PixelToPoint']['num_points'] == 102
    assert steps['simnet-z0-fruit']['PixelToPoint']['z_mode'] == 'zero'
    assert steps['pointnet2-6d-fruit']['PixelToPoint']['features'] == 'xyzrgb'
    assert steps['simnet-segmented-fruit']['PackImageInputs']['image_source'] == 'segmented'
    assert steps['simnet-fruit']['PackImageInputs']['image_source'] == 'original'


def test_few_sheets_get_as_many_iterations(study):
    size, variants = study.plan.SIZES['gpu'], study.plan.VARIANTS
    full = size.length * -(-3000 // 32)
    for shots in (10, 30, 100):
        length = size.length_of(variants[f'image-fruit-{shots}shots'])
        assert abs(length * -(-2 * shots // 32) - full) < -(-2 * shots // 32)
    assert {study.size.length_of(variant) for variant in variants.values()} == {study.size.length}


def test_tables_against_numpy(study, tmp_path):
    results = finished(study, tmp_path)
    text = study.table.tables(results.runs)
    scores = {name: np.array([list(scores_of(f'{name}_seed{seed}').values())[:2] for seed in SEEDS])
              for name in (*study.plan.VARIANTS, 'unet')}  # fmt: skip

    def spread(values: np.ndarray, sign: str = '') -> str:
        return f'{values.mean():{sign}.1f} ± {values.std(ddof=1):.1f}'

    ours, image = scores['simnet-lobed'], scores['image-lobed']
    cells = [spread(ours[:, 0]), spread(ours[:, 1]), *(spread((ours - image)[:, i], '+') for i in range(2))]
    assert f'| simnet-lobed | 0, 1, 2 | {" | ".join(cells)} |' in text
    changed, full = scores['simnet-z0-fruit'], scores['simnet-fruit']
    cells = [*(spread(changed[:, i]) for i in range(2)), *(spread((changed - full)[:, i], '+') for i in range(2))]
    assert f'| simnet-z0 | 0, 1, 2 | {" | ".join(cells)} |' in text
    good, poor = scores['pointnet-fruit'], scores['pointnet-fruit-complete']
    cells = [spread(values[:, i]) for values in (good, poor) for i in range(2)]
    cells += [spread((poor - good)[:, i], '+') for i in range(2)]
    assert f'| pointnet | 0, 1, 2 | {" | ".join(cells)} |' in text
    fewer = [run for run in results.runs if run['seed'] == 1 or 'complete' not in run['variant']]
    cells = [f'{values[1, i]:.1f}' for values in (good, poor) for i in range(2)]
    cells += [f'{(poor - good)[1, i]:+.1f}' for i in range(2)]
    assert f'| pointnet | 1 | {" | ".join(cells)} |' in study.table.tables(fewer)
    few = [scores[f'{name}-fruit-30shots'][:, 0] for name in ('image', 'simnet')]
    assert f'| 30 | {spread(few[0])} | {spread(few[1])} | {spread(few[1] - few[0], "+")} |' in text
    poor = scores['pointnet-fruit-unet']
    cells = [*(spread(poor[:, i]) for i in range(2)), *(spread((poor - good)[:, i], '+') for i in range(2))]
    assert text.count(f'| {" | ".join(cells)} |') == 1
    colours = scores['colours-lobed'][0]
    cells = [*(f'{value:.1f}' for value in colours), *(spread((colours - image)[:, i], '+') for i in range(2))]
    assert f'| colours-lobed | – | {" | ".join(cells)} |' in text
    iou, dice = scores['unet'].T
    assert f'IoU {spread(iou)}, Dice {spread(dice)}.' in text
    assert 'Trainings: 111 with 2 at once' in text


def test_masks_of_a_unet_come_before_what_is_trained_on_them(study, tmp_path):
    results = finished(study, tmp_path, ['simnet-fruit-unet', 'simnet-fruit', 'colours-fruit'])
    runs = study.commands.plan_runs(['simnet-fruit-unet', 'simnet-fruit', 'colours-fruit'], [0, 1])
    names = ['simnet-fruit', 'unet', 'unet-masks', 'simnet-fruit-unet']
    assert [run.name for run in runs] == ['colours-fruit_seed0', *(f'{n}_seed{seed}' for seed in (0, 1) for n in names)]
    made = {task.run.name: task for task in study.runs.tasks(study.size, runs, tmp_path / 'work')}
    folder = str(made['unet-masks_seed1'].product.parent)
    assert f'train_dataloader.dataset.mask_root={folder}' in made['simnet-fruit-unet_seed1'].command
    assert made['unet-masks_seed1'].command[-1] == folder
    assert str(made['unet_seed1'].product) in made['unet-masks_seed1'].command
    assert not pending_tasks(list(made.values()), results)
    results.runs = [entry for entry in results.runs if (entry['variant'], entry['seed']) != ('simnet-fruit-unet', 1)]
    assert [task.run.name for task in pending_tasks(list(made.values()), results)] == ['simnet-fruit-unet_seed1']
    made['unet-masks_seed1'].product.unlink()
    made['unet_seed1'].product.unlink()
    again = [task.run.name for task in pending_tasks(list(made.values()), results)]
    assert again == ['unet_seed1', 'unet-masks_seed1', 'simnet-fruit-unet_seed1']


def test_unet_commands(study, repo_root, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    monkeypatch.chdir(repo_root)
    from train import parse_args

    from mmfusion_plugin.engine.launch import apply_train_arguments, load_config

    for name, size in study.plan.SIZES.items():
        monkeypatch.setattr(sys, 'argv', study.commands.unet_command(size, 2, tmp_path)[1:])
        args = parse_args()
        cfg = load_config(args)
        apply_train_arguments(cfg, args)
        length = cfg.train_cfg.max_iters if name != 'gpu' else cfg.train_cfg.max_epochs
        assert length == size.unet_length == cfg.default_hooks.checkpoint.interval and cfg.randomness.seed == 2
        assert cfg.train_dataloader.dataset.mask_root == 'masks_selected'
        assert cfg.train_dataloader.dataset.data_root == f'{size.data_root}/'
        unit = 'iter' if name != 'gpu' else 'epoch'
        assert study.commands.unet_checkpoint(size, tmp_path) == tmp_path / f'{unit}_{length}.pth'


def test_colours_find_colour_and_no_shape(study, tmp_path, monkeypatch):
    """Two classes of coloured discs are told apart; two classes of shapes of one colour distribution are not."""
    rng = np.random.default_rng(0)

    def found(colour: bool) -> float:
        def read(config: dict) -> tuple:
            labels = np.arange(200) % 2
            images = rng.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
            masks = np.zeros((200, 16, 16), np.uint8)
            masks[labels == 0, :8] = 1
            masks[labels == 1, :, :8] = 1
            if colour:
                images[labels == 1, ..., 0] //= 2
            histograms = [study.colours.histogram(image, mask) for image, mask in zip(images, masks)]
            return np.stack(histograms), labels

        monkeypatch.setattr(study.colours, 'read', read)
        config = 'configs/simnet/resnet-tiny_1xb32_synthetic-herbarium.py'
        args = SimpleNamespace(config=config, cfg_options={}, out=tmp_path / 'out')
        scores = study.colours.score(args)
        assert json.loads((tmp_path / 'out' / 'colours.json').read_text()) == scores
        return scores['accuracy']

    assert found(True) > 0.95 and 0.35 < found(False) < 0.65


def test_histogram_by_hand(study):
    image = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [255, 255, 255]]], np.uint8)
    counts = study.colours.histogram(image, np.array([[1, 1], [1, 0]])) ** 2 * 3
    levels = study.colours.LEVELS
    assert counts[0] == pytest.approx(1) and counts[-1] == pytest.approx(1)
    assert counts[(levels - 1) * levels**2] == pytest.approx(1) and counts.sum() == pytest.approx(3)
    assert not study.colours.histogram(image, np.zeros((2, 2))).any()


def test_few_shot_curve_against_numpy(study, tmp_path, monkeypatch):
    results = finished(study, tmp_path, ['image-fruit-10shots', 'image-fruit-100shots', 'image-fruit', 'simnet-fruit'])
    figures = []
    save = study.pictures.save_figure
    monkeypatch.setattr(study.pictures, 'save_figure', lambda fig, path: figures.append(fig) or save(fig, path))
    assert study.pictures.few_shot_curve(tmp_path / 'curve.png', results.runs, 450, 'Title').is_file()
    (axes,) = figures[0].axes
    image, simnet = (container.lines[0] for container in axes.containers)
    names = ['image-fruit-10shots', 'image-fruit-100shots', 'image-fruit']
    means = [np.mean([scores_of(f'{name}_seed{seed}')['accuracy/top1'] for seed in SEEDS]) for name in names]
    assert list(image.get_xdata()) == [10, 100, 450] and list(simnet.get_xdata()) == [450]
    assert image.get_ydata().tolist() == pytest.approx(means)


def test_unfinished_tables_are_left_out(study, tmp_path):
    results = finished(study, tmp_path, ['simnet-fruit', 'image-fruit'])
    text = study.table.tables(results.runs)
    assert 'simnet-fruit' in text and 'complete' not in text and 'sheets of each class' not in text
    assert study.pictures.bars(tmp_path / 'bars.png', results.runs, 'Title').is_file()


def test_a_changed_config_is_noticed(study, tmp_path, monkeypatch):
    finished(study, tmp_path, ['simnet-fruit'])
    before = study.plan.decisive_settings
    monkeypatch.setattr(study.plan, 'decisive_settings', lambda cfg: {**before(cfg), 'randomness': 'other'})
    with pytest.raises(ValueError, match='config of simnet-fruit'):
        study.runs.open_results(tmp_path / 'cpu.json', study.size)
