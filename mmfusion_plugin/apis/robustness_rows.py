"""Finished tests in one JSON file, which a stopped run of the robustness tool continues."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Mapping, Optional

from mmfusion_plugin.files import write_text

Row = dict[str, Any]
ROW_KEYS = ('key', 'model', 'config', 'checkpoint', 'kind', 'value', 'views', 'scans', 'miou', 'iou')


class Rows:
    """Results of tests, written whole after each.

    A row has ``key`` (changes with model, data, damage and weights), ``model`` (its name in the comparison),
    ``config``, ``checkpoint``, ``kind`` and ``value`` of the condition, ``views`` for each chunk (None without images),
    ``scans``, ``miou`` and ``iou`` by class in 0..1 (None for a class that occurs nowhere).

    Args:
        path: The file; created with the first row.

    Raises:
        ValueError: The file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = _read(path) if path.exists() else []

    def find(self, key: str) -> Optional[Row]:
        """A row with this key, under whatever name and condition it was measured."""
        return next((row for row in self.rows if row['key'] == key), None)

    def put(self, row: Row) -> None:
        """Keep ``row`` in place of one of the same key, model and condition."""
        if row in self.rows:
            return
        self.rows = [old for old in self.rows if _identity(old) != _identity(row)] + [row]
        lines = ',\n'.join(json.dumps(row, allow_nan=False) for row in self.rows)
        write_text(self.path, f'[\n{lines}\n]\n')


def scores(metrics: Mapping[str, float]) -> tuple[float, dict[str, Optional[float]]]:
    """mIoU, and IoU by class with None for nan, among the metrics of a test, whatever their prefix.

    Raises:
        ValueError: There is no mIoU.
    """
    plain = {name.rpartition('/')[-1]: float(value) for name, value in metrics.items()}
    if 'miou' not in plain or math.isnan(plain['miou']):
        raise ValueError(
            f'the test gave no mIoU (it gave {", ".join(metrics) or "nothing"}): test on a split with labels, with a '
            'metric such as ScanNetSegMetric: --cfg-options test_dataloader.dataset.ann_file=scannet_infos_val.json'
        )
    ious = {name[len('iou_') :]: value for name, value in plain.items() if name.startswith('iou_')}
    return plain['miou'], {name: None if math.isnan(value) else value for name, value in ious.items()}


def _identity(row: Row) -> tuple:
    return tuple(row[name] for name in ('key', 'model', 'kind', 'value', 'checkpoint'))


def _read(path: Path) -> list[Row]:
    try:
        rows = json.loads(path.read_text(encoding='utf-8'))
        sound = isinstance(rows, list) and all(set(ROW_KEYS) <= set(row) for row in rows)
    except (ValueError, TypeError):
        sound = False
    if not sound:
        raise ValueError(f'{path} holds no results of tools/robustness.py: remove it, or give another --out')
    return rows
