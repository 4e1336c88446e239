"""The study's runs and results file, as the package's study takes them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

from study_commands import NO_WEIGHTS, measuring_command, trained_files, training_command
from study_plan import DENOISERS, EMBEDDERS, PATHS, VARIANTS, Run, Size, load_config

from mmfusion_plugin.apis.study import Results, Task, read_metrics

ITERATIONS = 10  # of a timing
LOGGED = {**dict.fromkeys(EMBEDDERS, ('i2s_top1', 'i2s_top1')), 'classifier': ('accuracy/top1', 'accuracy'),
          **dict.fromkeys(DENOISERS, ('noise_error', 'noise_error'))}  # fmt: skip
"""What each training's validation logs, and its key in the results."""


def open_results(path: Path, size: Size) -> Results:
    """The results file of a size; errors as in :class:`Results`."""
    return Results(path, size.settings(), VARIANTS)


def tasks(size: Size, runs: list[Run], work_dir: Path) -> list[Task]:
    """All ``runs``, each in a folder of its own; they wait for the training that they begin with."""
    return [_task(size, run, work_dir) for run in runs]


def _task(size: Size, run: Run, work_dir: Path) -> Task:
    folder, needed = work_dir / run.name, size.needs(run.variant)
    needs = Run(needed, run.seed) if needed else None
    if run.variant not in size.trainings:
        return Task(run, measuring_command(size, run, work_dir, folder), folder, needs=needs)
    notes, weights = {'config': size.trainings[run.variant].config}, trained_files(size, run, work_dir)[1]
    return Task(run, training_command(size, run, work_dir, folder), folder, notes, needs, weights)


def score(task: Task) -> dict:
    """What a run has found: scores in 0..1 (distances in the unit of the clouds, times of a training in seconds)."""
    name = task.run.variant
    if name in PATHS:
        return json.loads((task.work_dir / 'paths.json').read_text())
    if name not in LOGGED:
        return read_report(task.work_dir / 'scores')
    logged, key = LOGGED[name]
    steps = read_metrics(task.work_dir, {logged: key})
    if name in EMBEDDERS:
        return {**steps, **read_report(task.work_dir / 'scores')}
    return {**steps, key: steps[key] / (100 if name == 'classifier' else 1)}


def read_report(folder: Path) -> dict:
    """What a metric of the package has written: means over categories, IoU of each, the protocol."""
    with open(folder / 'categories.csv', newline='') as file:
        rows = {row['category']: row for row in csv.DictReader(file)}
    means, pictures = rows['mean over categories'], int(rows['mean over samples']['samples'])
    scores = {key: float(value) / 100 for key, value in means.items()
              if key not in ('category', 'synset', 'samples') and value}  # fmt: skip
    overlaps = {name: float(row['iou_mean']) / 100 for name, row in rows.items()
                if 'iou_mean' in row and not name.startswith('mean over')}  # fmt: skip
    protocol = (folder / 'categories.md').read_text().split('\n')[-2]
    found = {**scores, 'pictures': pictures, 'protocol': protocol}
    return {**found, 'categories': overlaps} if overlaps else found


def summary(entry: dict) -> str:
    """What is said of a finished run."""
    if 'iou_mean' in entry:
        return f'IoU {100 * entry["iou_mean"]:.1f}, F-score {100 * entry["f_score_mean"]:.1f}'
    if 'i2s_top1' in entry:
        return f'top-1 {100 * entry["i2s_top1"]:.1f} image to shape, {100 * entry["s2i_top1"]:.1f} shape to image'
    if 'shapes' in entry:
        return f'mean step {entry["lerp_within_mean_step"]:.3f} within, {entry["lerp_across_mean_step"]:.3f} across'
    key = next(key for _, key in LOGGED.values() if key in entry)
    return f'{key.replace("_", " ")} {entry[key]:.3f}'


def timing_command(size: Size, variant: str, folder: Path) -> list[str]:
    """The variant's training for a few iterations, without validation and without another training's weights."""
    training, cut = size.trainings[variant], []
    if training.unit == 'epochs':
        batch = load_config(training.config).train_dataloader.batch_size
        cut.append(f'train_dataloader.dataset.indices={ITERATIONS * batch}')  # models, one picture of each an epoch
    length = ITERATIONS if training.unit == 'iters' else 1
    no_weights = [NO_WEIGHTS] if training.encoder else []
    options = (*training.options, *no_weights, *cut, f'train_cfg.val_begin={length + 1}')
    short = replace(training, length=length, options=options, encoder=None)
    timed = replace(size, trainings={**size.trainings, variant: short})
    return training_command(timed, Run(variant, 0), folder.parent, folder)
