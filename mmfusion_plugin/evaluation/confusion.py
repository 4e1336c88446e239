"""Scores of a semantic segmentation from its confusion matrix, as the nuScenes-lidarseg evaluator defines them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class SegmentationScores(NamedTuple):
    """What a confusion matrix says.

    Attributes:
        iou: ``(C,)`` float64 TP / (TP + FP + FN) per class; nan where a class occurs neither in truth nor prediction.
        miou: Mean over the classes that are not nan.
        fwiou: IoU weighted by the number of labelled points of each class.
        acc: Share of labelled points predicted right.
        acc_cls: Mean over the classes present in the truth of the share predicted right.
    """

    iou: np.ndarray
    miou: float
    fwiou: float
    acc: float
    acc_cls: float


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, num_classes: int, ignore_index: int) -> np.ndarray:
    """Count pairs of labels.

    Args:
        truth: ``(N,)`` integers, each in ``0..num_classes-1`` or ``ignore_index``.
        predicted: ``(N,)`` integers in ``0..num_classes-1``.
        num_classes: C.
        ignore_index: Label of points that count in no score.

    Returns:
        ``(num_classes + 1, num_classes)`` int64; row = truth, column = prediction. The last row holds the points whose
        truth is ignored: they count in no score, and are kept so that the matrix accounts for every point.

    Raises:
        ValueError: Lengths differ, or a value lies outside its range.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f'{predicted.shape} predictions for {truth.shape} labels; need one of each per point')
    for name, values in (('prediction', predicted), ('label', truth)):
        if values.dtype.kind not in 'iu':
            raise ValueError(f'{name}s must be integer class indices, got {values.dtype}')
    ignored = truth == ignore_index
    _check_range('prediction', predicted, num_classes)
    _check_range(f'label (ignore index {ignore_index} aside)', np.where(ignored, 0, truth), num_classes)
    row = np.where(ignored, num_classes, truth).astype(np.int64)
    counts = np.bincount(row * num_classes + predicted.astype(np.int64), minlength=(num_classes + 1) * num_classes)
    return counts.reshape(num_classes + 1, num_classes).astype(np.int64, copy=False)


def segmentation_scores(matrix: np.ndarray) -> SegmentationScores:
    """Scores of a confusion matrix.

    Args:
        matrix: ``(C, C)`` or ``(C + 1, C)`` counts; row = truth, column = prediction. A row beyond C is left out.
    """
    square = np.asarray(matrix, np.float64)[: matrix.shape[1]]
    right, in_truth, in_prediction = square.diagonal(), square.sum(1), square.sum(0)
    with np.errstate(invalid='ignore', divide='ignore'):
        iou = right / (in_truth + in_prediction - right)
        recall = right / in_truth
        acc = right.sum() / in_truth.sum()
        fwiou = np.nansum(in_truth * iou) / in_truth.sum()
    return SegmentationScores(iou, _mean(iou), float(fwiou), float(acc), _mean(recall))


def _mean(values: np.ndarray) -> float:
    """Mean of what is not nan; nan, without numpy's warning, where nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float('nan')


def _check_range(name: str, values: np.ndarray, num_classes: int) -> None:
    wrong = (values < 0) | (values >= num_classes)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f'{name} outside 0..{num_classes - 1} at {int(wrong.sum())} of {len(values)} points, first '
            f'{values[first]} at point {first}'
        )
