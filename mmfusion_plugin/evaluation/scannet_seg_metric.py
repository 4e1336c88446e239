"""ScanNet's semantic segmentation metric: the official script's rules, in constant memory."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Optional, Sequence

import numpy as np
from mmdet3d.registry import METRICS
from mmengine.logging import print_log

from .lidar_seg_metric import LidarSegMetric, score_table
from .scannet_confusion import official_scores, with_unknown
from .scannet_submission import ScanNetSubmissionWriter

UNKNOWN = 'unknown'
"""Class of all predictions that are none."""


@METRICS.register_module()
class ScanNetSegMetric(LidarSegMetric):
    """mIoU over all vertices of all scans, equal to the official evaluation script's.

    Counting is :class:`LidarSegMetric`'s: scan by scan into one small matrix, summed over processes. The rules are in
    :mod:`~mmfusion_plugin.evaluation.scannet_confusion`: a prediction that is no class (-1, 20, 255, ...) is a miss of
    the true class and no false alarm of another one; predictions at ignored vertices count nowhere.

    Scans are dicts with ``pred_pts_seg.pts_semantic_mask`` ``(N,)`` integers, ``eval_ann_info.pts_semantic_mask``
    ``(N,)`` int in 0..C-1 or the ignore index (absent in the test split), and ``scan_id``, or ``lidar_path``, whose
    stem is the scan's name. ``dataset_meta`` gives ``classes`` and ``ignore_index`` (default C).

    Args:
        submission_prefix: Folder to write the benchmark's submission to while scoring, with a zip of the same name
            beside it; see :class:`ScanNetSubmissionWriter`. None writes none.
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Accepted as in other metrics.

    Raises:
        ValueError: Lengths differ, labels are no classes, or scans are missing or counted twice; the text names the
            scan. With a submission also where a prediction is no class.
    """

    def __init__(
        self, submission_prefix: Optional[str] = None, prefix: Optional[str] = None, collect_device: str = 'cpu'
    ) -> None:
        super().__init__(prefix=prefix, collect_device=collect_device)
        self.submission = None if submission_prefix is None else ScanNetSubmissionWriter(submission_prefix)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add scans; see the class for what each must hold."""
        super().process(data_batch, [{**sample, 'token': _scan_name(sample)} for sample in data_samples])

    def _add(self, name: str, predicted: np.ndarray, truth: Optional[np.ndarray], expected: Optional[int]) -> None:
        classes, ignore_index = super()._classes()
        known = np.full(predicted.shape, ignore_index, np.int64) if truth is None else truth
        labels, guesses = with_unknown(known, predicted, len(classes), ignore_index)
        super()._add(name, guesses, None if truth is None else labels, expected)
        if self.submission is not None:
            self.submission.write(name, predicted, classes)

    def evaluate(self, size: int) -> dict[str, float]:
        """Sum over all processes and score; as :meth:`LidarSegMetric.evaluate`, of ``size`` scans."""
        metrics = super().evaluate(size)
        if self.submission is not None:
            self.submission.finish(size)
        return metrics

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Log the table and return the scores of the summed matrices ``(C + 2, C + 1)`` in ``results``; see
        :func:`~mmfusion_plugin.evaluation.scannet_confusion.official_counts`."""
        classes, matrix = super()._classes()[0], sum(results)
        scores = official_scores(matrix)
        invalid = int(matrix[:-1, -1].sum())
        note = f'\n{invalid:,} predictions are no class and count as misses' if invalid else ''
        print_log(f'\n{score_table(classes, scores, matrix)}{note}', logger='current')
        metrics = {name: getattr(scores, name) for name in ('miou', 'fwiou', 'acc', 'acc_cls')}
        return {**metrics, **{f'iou_{name}': float(iou) for name, iou in zip(classes, scores.iou)}}

    def _classes(self) -> tuple[Sequence[str], int]:
        """What is counted: the classes and the unknown."""
        classes, _ = super()._classes()
        return (*classes, UNKNOWN), len(classes) + 1


def _scan_name(sample: dict) -> str:
    for key in ('scan_id', 'lidar_path'):
        if sample.get(key) is not None:
            return PurePath(str(sample[key])).stem
    raise ValueError(
        f"a scan carries neither scan_id nor lidar_path (it has {sorted(sample)}): list one in the packer's meta_keys"
    )
