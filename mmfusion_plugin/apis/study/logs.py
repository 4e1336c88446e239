"""What trainings have logged: IoU of each class, its means over groups of classes, and times."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path


def read_scores(work_dir: Path, classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict:
    """Scores and times of a training with its validation.

    Args:
        work_dir: Of the training.
        classes: Their metrics are ``iou_<class>``, beside ``miou``; all in 0..1.
        groups: Classes of each further mean.

    Returns:
        A mean per group (:func:`class_means`) and ``miou`` as it was logged, ``iou`` per class (None for a class that
        occurs nowhere), and what :func:`read_steps` returns.

    Raises:
        ValueError: The log holds no validation or no training.
    """
    scored = [row for row in logged_rows(work_dir) if 'miou' in row]
    if not scored:
        raise ValueError(f'{work_dir} holds no validation')
    iou = {name: scored[-1][f'iou_{name}'] for name in classes}
    known = {name: None if math.isnan(value) else value for name, value in iou.items()}
    return {'miou': scored[-1]['miou'], **class_means(iou, groups), 'iou': known, **read_steps(work_dir)}


def read_metrics(work_dir: Path, names: Mapping[str, str]) -> dict:
    """Chosen metrics of the last validation, and the times of a training.

    Args:
        work_dir: Of the training.
        names: Of the metrics as they are logged (``accuracy/top1``), each with its key in what is returned.

    Returns:
        The metrics, as they were logged, and what :func:`read_steps` returns.

    Raises:
        ValueError: The log holds no validation with these metrics, or no training.
    """
    scored = [row for row in logged_rows(work_dir) if all(name in row for name in names)]
    if not scored:
        raise ValueError(f'{work_dir} holds no validation with {", ".join(names)}')
    return {**{key: scored[-1][name] for name, key in names.items()}, **read_steps(work_dir)}


def read_steps(work_dir: Path) -> dict:
    """Times of a training.

    Returns:
        ``iterations``, ``seconds_per_iteration`` (median), and ``gpu_memory_mb`` on CUDA.

    Raises:
        ValueError: The log holds no training.
    """
    steps = [row for row in logged_rows(work_dir) if 'loss' in row]
    if not steps:
        raise ValueError(f'{work_dir} holds no training')
    seconds = statistics.median(row['time'] for row in steps)
    figures = {'iterations': len(steps), 'seconds_per_iteration': round(seconds, 4)}
    if 'memory' in steps[-1]:
        figures['gpu_memory_mb'] = max(row['memory'] for row in steps)
    return figures


def class_means(iou: Mapping[str, float], groups: Mapping[str, Sequence[str]]) -> dict[str, float | None]:
    """Mean of each group over its classes that occur; None where none does.

    Args:
        iou: Of each class, in 0..1; NaN for a class that occurs nowhere.
        groups: Names of classes.
    """
    known = {key: [iou[name] for name in names if not math.isnan(iou[name])] for key, names in groups.items()}
    return {key: statistics.fmean(values) if values else None for key, values in known.items()}


def logged_rows(work_dir: Path) -> list[dict]:
    """All that mmengine has logged below a work folder, in order."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]
