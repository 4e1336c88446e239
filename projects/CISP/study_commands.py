"""The commands of the study, which a user would type."""

from __future__ import annotations

import sys
from pathlib import Path

from study_plan import BASELINES, DENOISERS, EMBEDDERS, REFERENCE, Run, Size

HERE = Path('projects', 'CISP')
NO_WEIGHTS = 'model.image_encoder.init_cfg=None'


def world_commands(size: Size, workers: int) -> list[list[str]]:
    """How the models are made (what is finished is not made again), and sketches of those that are tested."""
    make = ['tools/make_synthetic.py', 'shapenet', '--out', size.data_root, '--models', str(size.models)]
    make += ['--views', str(size.views), '--seed', '0', '--workers', str(workers)]
    sketch = [str(HERE / 'make_sketches.py'), size.data_root, '--out', size.sketches]
    return [[sys.executable, *make], [sys.executable, *sketch]]


def training_command(size: Size, run: Run, work_dir: Path, folder: Path) -> list[str]:
    """The training of a run in ``folder``; order of samples, views and noise depend on the seed alone
    (``ReproducibleHook``).

    An embedder is scored on the part ``test``, once, at the end.
    """
    training = size.trainings[run.variant]
    options = [
        f'randomness.seed={run.seed}',
        *_data(size),
        f'train_cfg.max_{training.unit}={training.length}',
        f'train_cfg.val_interval={training.length}',
        f'default_hooks.checkpoint.interval={training.length}',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.checkpoint.save_optimizer=False',
        'default_hooks.logger.interval=1',  # one line per iteration, with its own time
        'log_processor.window_size=1',
    ]
    if run.variant not in DENOISERS:
        options.append('val_dataloader.dataset.part=test')
    if run.variant in EMBEDDERS:
        options.append(f'val_evaluator.out_dir={folder / "scores"}')
    if run.variant in DENOISERS:
        options += [f'model.sampling.num_samples={size.samples}', f'model.sampling.steps={size.steps}', *size.sampling]
    if training.encoder is not None:
        weights = trained_files(size, Run(training.encoder, run.seed), work_dir)[1]
        options.append(f'model.image_encoder.init_cfg.checkpoint={weights}')
    command = [sys.executable, 'tools/train.py', training.config, '--work-dir', str(folder)]
    return [*command, '--cfg-options', *options, *training.options]


def trained_files(size: Size, run: Run, work_dir: Path) -> tuple[Path, Path]:
    """The config that a training has written beside its weights, and these."""
    training, folder = size.trainings[run.variant], work_dir / run.name
    return folder / Path(training.config).name, folder / training.checkpoint


def measuring_command(size: Size, run: Run, work_dir: Path, folder: Path) -> list[str]:
    """A test, a baseline or paths of shapes, whose scores go to ``folder``."""
    needed = size.needs(run.variant)
    files = trained_files(size, Run(needed, run.seed), work_dir) if needed else ()
    if run.variant in BASELINES:
        return _baseline(size, run, files, folder)
    if run.variant in size.tests:
        test = size.tests[run.variant]
        options = [f'test_evaluator.out_dir={folder / "scores"}', *(size.scoring if needed in DENOISERS else ())]
        options += [*_sketches(size, test.sketches), *test.options]
        command = ['tools/test.py', *map(str, files), '--work-dir', str(folder), '--cfg-options', *options]
        return [sys.executable, *command]
    script = [str(HERE / 'score_paths.py'), *map(str, files), '--pairs', str(size.pairs)]
    return [sys.executable, *script, '--out', str(folder / 'paths.json')]


def _baseline(size: Size, run: Run, embedder: tuple, folder: Path) -> list[str]:
    name, sketches = run.variant.replace('-sketches', ''), run.variant.endswith('-sketches')
    command = [str(HERE / 'score_baseline.py'), name, size.trainings[REFERENCE].config]
    command += ['--embedder', *map(str, embedder)] if embedder else []
    command += ['--samples', str(size.samples), '--seed', str(run.seed), '--out', str(folder / 'scores')]
    options = [*_data(size), *size.scoring, *_sketches(size, sketches)]
    return [sys.executable, *command, '--cfg-options', *options]


def _data(size: Size) -> list[str]:
    """``--cfg-options``: the models."""
    sets = [f'{split}_dataloader.dataset' for split in ('train', 'val', 'test')]
    roots = [f'{place}.data_root={size.data_root}/' for place in sets]
    return [*roots, *(f'{place}.num_views={size.views}' for place in sets)]


def _sketches(size: Size, wanted: bool) -> list[str]:
    return [f'test_dataloader.dataset.data_prefix.img=../{Path(size.sketches).name}'] if wanted else []
