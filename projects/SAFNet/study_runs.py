"""The study's trainings, results file and timings, as the package's study takes them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from study_plan import (
    GROUPS,
    VARIANTS,
    VIEWS,
    Run,
    Size,
    begins_with_views,
    checkpoint_of,
    load_config,
    training_command,
)

from mmfusion_plugin.apis.study import Results, Task, read_scores
from mmfusion_plugin.converters.scannet_taxonomy import CLASSES

ITERATIONS = 10  # of a timing


def open_results(path: Path, size: Size) -> Results:
    """The results file of a size; errors as in :class:`Results`."""
    return Results(path, size.settings(), VARIANTS)


def tasks(size: Size, runs: list[Run], work_dir: Path) -> list[Task]:
    """The trainings of ``runs``, each in a folder of its own; those with images wait for their image network."""
    return [_task(size, run, work_dir) for run in runs]


def _task(size: Size, run: Run, work_dir: Path) -> Task:
    first = Run(VIEWS, run.seed) if begins_with_views(run.variant) else None
    weights = None if first is None else checkpoint_of(size, first, work_dir)
    return Task(
        run,
        training_command(size, run, work_dir / run.name, weights),
        work_dir / run.name,
        {'config': size.trainings[run.variant].config},
        needs=first,
        product=checkpoint_of(size, run, work_dir),
    )


def score(task: Task) -> dict:
    """What a training has logged."""
    return read_scores(task.work_dir, CLASSES, GROUPS)


def timing_command(size: Size, variant: str, work_dir: Path) -> list[str]:
    """The variant's training for a few iterations, without validation and from any weights."""
    training = size.trainings[variant]
    length = ITERATIONS
    if training.unit == 'epochs':
        batch = load_config(training.config).train_dataloader.batch_size
        length = math.ceil(ITERATIONS / ((size.scenes - size.val_scenes) // batch))
    options = (*training.options, f'train_cfg.val_begin={length + 1}')
    training = replace(training, length=length, options=options)
    short = replace(size, trainings={**size.trainings, variant: training})
    return training_command(short, Run(variant, 0), work_dir)
