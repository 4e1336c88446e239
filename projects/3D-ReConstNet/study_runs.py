"""The study's runs and results file, as the package's study takes them."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

from study_plan import (
    BASELINES,
    SAMPLED,
    VARIANTS,
    Run,
    Size,
    baseline_command,
    load_config,
    sampling_command,
    training_command,
)

from mmfusion_plugin.apis.study import Results, Spread, Task, read_metrics

SCORES = ('cd', 'emd', 'f_score')
ORDER = (*VARIANTS, *SAMPLED.values(), *BASELINES)
ITERATIONS = 10  # of a timing


def open_results(path: Path, size: Size) -> Results:
    """The results file of a size; errors as in :class:`Results`."""
    return Results(path, size.settings(), ORDER)


def tasks(size: Size, runs: list[Run], work_dir: Path) -> list[Task]:
    """All ``runs``, each in a folder of its own; those that draw clouds wait for their training."""
    return [_task(size, run, work_dir) for run in runs]


def _task(size: Size, run: Run, work_dir: Path) -> Task:
    folder = work_dir / run.name
    if run.variant in BASELINES:
        return Task(run, baseline_command(size, run.variant, folder / 'scores'), folder)
    if run.variant in VARIANTS:
        notes = {'config': size.trainings[run.variant].config}
        return Task(run, training_command(size, run, folder), folder, notes, product=folder / size.checkpoint)
    trained = Run(next(name for name, drawn in SAMPLED.items() if drawn == run.variant), run.seed)
    command = sampling_command(size, trained, work_dir / trained.name, folder / 'spread.json')
    return Task(run, command, folder, needs=trained)


def score(task: Task) -> dict:
    """What a run has found: scores in 0..1 (distances in the unit of the clouds), or how much drawn clouds differ."""
    if task.run.variant in SAMPLED.values():
        return json.loads((task.work_dir / 'spread.json').read_text())
    steps = read_metrics(task.work_dir, {'cd': 'cd'}) if task.run.variant in VARIANTS else {}
    return {**steps, **read_report(task.work_dir / 'scores')}


def read_report(folder: Path) -> dict:
    """What ``ReconstructionMetric`` has written: means over categories, each category's, the protocol."""
    with open(folder / 'categories.csv', newline='') as file:
        rows = {row['category']: row for row in csv.DictReader(file)}
    scores = {name: {key: float(row[key]) / 100 for key in SCORES} for name, row in rows.items()}
    images = int(rows['mean over samples']['samples'])
    categories = {name: values for name, values in scores.items() if not name.startswith('mean over')}
    protocol = (folder / 'categories.md').read_text().split('\n')[-2]
    return {**scores['mean over categories'], 'categories': categories, 'images': images, 'protocol': protocol}


def summary(entry: dict) -> str:
    """What is said of a finished run."""
    if 'cd' not in entry:
        front, behind = (Spread.of([entry[f'cd_{side}']]).text(100, 3) for side in ('front', 'behind'))
        return f'CD between samples {front} from front, {behind} from behind'
    return f'CD {100 * entry["cd"]:.2f}, EMD {100 * entry["emd"]:.2f}, F-score {100 * entry["f_score"]:.1f}'


def timing_command(size: Size, variant: str, work_dir: Path) -> list[str]:
    """The variant's training for a few iterations, without validation."""
    length = ITERATIONS if size.unit == 'iters' else 1
    limits = [f'train_cfg.val_begin={length + 1}']
    if size.unit == 'epochs':
        batch = load_config(size.trainings[variant].config).train_dataloader.batch_size
        limits.append(f'train_dataloader.dataset.indices={math.ceil(ITERATIONS * batch / size.views)}')  # models
    return training_command(replace(size, length=length, options=(*size.options, *limits)), Run(variant, 0), work_dir)
