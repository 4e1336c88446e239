"""What trainings have logged: IoU of each class, its means over the classes of interest and the others, and times."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path

from study_plan import INTEREST, OTHERS

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES


def read_scores(work_dir: Path) -> dict:
    """Scores and times of a training with its validation.

    Returns:
        ``iou`` per class (None for a class that occurs nowhere), its means (:func:`class_means`), and what
        :func:`read_steps` returns.

    Raises:
        ValueError: The log holds no validation or no training.
    """
    scored = [row for row in _rows(work_dir) if 'miou' in row]
    if not scored:
        raise ValueError(f'{work_dir} holds no validation')
    iou = {name: scored[-1][f'iou_{name}'] for name in CLASSES}
    known = {name: None if math.isnan(value) else value for name, value in iou.items()}
    return {**class_means(iou), 'miou': scored[-1]['miou'], 'iou': known, **read_steps(work_dir)}


def read_steps(work_dir: Path) -> dict:
    """Times of a training.

    Returns:
        ``iterations``, ``seconds_per_iteration`` (median), and ``gpu_memory_mb`` on CUDA.

    Raises:
        ValueError: The log holds no training.
    """
    steps = [row for row in _rows(work_dir) if 'loss' in row]
    if not steps:
        raise ValueError(f'{work_dir} holds no training')
    seconds = statistics.median(row['time'] for row in steps)
    figures = {'iterations': len(steps), 'seconds_per_iteration': round(seconds, 4)}
    if 'memory' in steps[-1]:
        figures['gpu_memory_mb'] = max(row['memory'] for row in steps)
    return figures


def class_means(iou: Mapping[str, float]) -> dict[str, float | None]:
    """Means ``miou``, ``interest`` and ``other`` over the classes that occur; None where none does.

    Args:
        iou: Of each class, in 0..1; NaN for a class that occurs nowhere.
    """
    groups = {'miou': CLASSES, 'interest': INTEREST, 'other': OTHERS}
    known = {key: [iou[name] for name in names if not math.isnan(iou[name])] for key, names in groups.items()}
    return {key: statistics.fmean(values) if values else None for key, values in known.items()}


def _rows(work_dir: Path) -> list[dict]:
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]
