"""Counting and scoring as ScanNet's official script does.

Source: ScanNet, ``BenchmarkScripts/3d_evaluation/evaluate_semantic_label.py``. All scans go into one matrix; vertices
without a valid truth count nowhere; a prediction that is no class is a miss of the true class and no false alarm of
another one.
"""

from __future__ import annotations

import numpy as np

from .confusion import SegmentationScores, confusion_matrix, segmentation_scores


def with_unknown(
    truth: np.ndarray, predicted: np.ndarray, num_classes: int, ignore_index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels in which predictions that are no class have a class of their own, C, which is never right.

    Args:
        truth: ``(N,)`` integers, each in ``0..num_classes-1`` or ``ignore_index``.
        predicted: ``(N,)`` integers of any value.
        num_classes: C.
        ignore_index: Label of vertices that count in no score.

    Returns:
        Truth in ``0..C-1`` or C + 1 (ignored), and prediction in ``0..C``; both ``(N,)`` int64.

    Raises:
        ValueError: Values are not integers, or a label lies outside its range.
    """
    for name, values in (('predictions', predicted), ('labels', truth)):
        if values.dtype.kind not in 'iu':
            raise ValueError(f'{name} must be integer class indices, got {values.dtype}')
    ignored = truth == ignore_index
    if (~ignored & ((truth < 0) | (truth >= num_classes))).any():
        raise ValueError(
            f'labels span {truth.min()}..{truth.max()}, need classes 0..{num_classes - 1} or {ignore_index} (ignored): '
            'map NYU40 ids to classes (PointSegClassMapping) in the pipelines for validation and test as well'
        )
    known = (predicted >= 0) & (predicted < num_classes)
    return np.where(ignored, num_classes + 1, truth.astype(np.int64)), np.where(known, predicted, num_classes)


def official_counts(truth: np.ndarray, predicted: np.ndarray, num_classes: int, ignore_index: int) -> np.ndarray:
    """Count pairs of labels; arguments and errors as in :func:`with_unknown`.

    Returns:
        ``(C + 2, C + 1)`` int64; row = truth, column = prediction. Column C holds predictions that are no class, row C
        is empty, the last row holds vertices whose truth is ignored.
    """
    return confusion_matrix(
        *with_unknown(truth, predicted, num_classes, ignore_index), num_classes + 1, num_classes + 1
    )


def official_scores(matrix: np.ndarray) -> SegmentationScores:
    """Scores of :func:`official_counts`, ``(C + 2, C + 1)``, over the C classes.

    The benchmark's mean is that of its 20 classes, all of which occur in its splits. In a smaller set of scans a class
    that occurs neither in truth nor in prediction is nan and outside the mean.
    """
    scores = segmentation_scores(matrix)
    iou = scores.iou[:-1]  # the last is that of the unknown
    found = iou[~np.isnan(iou)]
    return scores._replace(iou=iou, miou=float(found.mean()) if found.size else float('nan'))
