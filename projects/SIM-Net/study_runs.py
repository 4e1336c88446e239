"""The study's trainings and results file, as the package's study takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from study_plan import MAIN, POINTS, TRAIT, VARIANTS, Run, Size, Variant, load_config, training_command

from mmfusion_plugin.apis.study import Results, Task, read_metrics

METRICS = {'accuracy/top1': 'accuracy', 'single-label/f1-score': 'f1'}  # as MMPreTrain logs them, in percent
TIMED = tuple(Variant(system, TRAIT).name for system in (*MAIN, *POINTS))
ITERATIONS = 10  # of a timing


def open_results(path: Path, size: Size) -> Results:
    """The results file of a size; errors as in :class:`Results`."""
    return Results(path, size.settings(), tuple(VARIANTS))


def tasks(size: Size, runs: list[Run], work_dir: Path) -> list[Task]:
    """The trainings of ``runs``, each in a folder of its own."""
    return [
        Task(
            run,
            training_command(size, run, work_dir / run.name),
            work_dir / run.name,
            {'config': size.config(VARIANTS[run.variant].system)},
        )
        for run in runs
    ]


def score(task: Task) -> dict:
    """Accuracy and macro F1 of a training, in 0..1."""
    logged = read_metrics(task.work_dir, METRICS)
    return {**logged, **{key: logged[key] / 100 for key in METRICS.values()}}


def summary(entry: dict) -> str:
    """What is said of a finished run."""
    return f'accuracy {100 * entry["accuracy"]:.1f}, F1 {100 * entry["f1"]:.1f}'


def timing_command(size: Size, variant: str, work_dir: Path) -> list[str]:
    """The variant's training for a few iterations, without validation."""
    length = ITERATIONS if size.unit == 'iters' else 1
    limits = [f'train_cfg.val_begin={length + 1}']
    if size.unit == 'epochs':
        batch = load_config(size.config(VARIANTS[variant].system)).train_dataloader.batch_size
        limits.append(f'train_dataloader.dataset.indices={ITERATIONS * batch}')
    return training_command(replace(size, length=length, options=(*size.options, *limits)), Run(variant, 0), work_dir)
