"""The study's trainings, results file and timings, as the package's study takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from study_plan import GROUPS, VARIANTS, Run, Size, load_config, training_command

from mmfusion_plugin.apis.study import Results, Task, read_scores
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES

TIMED = ('lidar-only', '2dpass', '2ddata', 'branch-alone')  # the others train one of these systems
ITERATIONS = 20  # of a timing


def open_results(path: Path, size: Size) -> Results:
    """The results file of a size; errors as in :class:`Results`."""
    return Results(path, size.settings(), tuple(VARIANTS), 'config or boxes')


def tasks(size: Size, runs: list[Run], work_dir: Path, boxes: dict[str, dict]) -> list[Task]:
    """The trainings of ``runs`` in folders below ``work_dir``.

    Args:
        size: Of the study.
        runs: In the order in which they start.
        work_dir: Gets a folder per run.
        boxes: Figures of the training boxes of each variant that has any.
    """
    return [
        Task(
            run,
            training_command(size, run, work_dir / run.name),
            work_dir / run.name,
            {'boxes': boxes.get(run.variant), 'config': size.configs[VARIANTS[run.variant].system]},
        )
        for run in runs
    ]


def score(task: Task) -> dict:
    """What a training has logged."""
    return read_scores(task.work_dir, CLASSES, GROUPS)


def timing_command(size: Size, variant: str, work_dir: Path) -> list[str]:
    """The variant's training on the first samples of the world, without validation."""
    samples = ITERATIONS * load_config(size.configs[VARIANTS[variant].system]).train_dataloader.batch_size
    limits = ('train_cfg.val_begin=2', f'train_dataloader.dataset.indices={samples}')
    return training_command(replace(size, epochs=1, options=(*size.options, *limits)), Run(variant, 0), work_dir)
