"""Scans with known labels and predictions, made from their number alone so that every process has the same ones."""

from __future__ import annotations

import numpy as np

VALID = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39]
CLASSES = ('wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture',
           'counter', 'desk', 'curtain', 'refrigerator', 'shower curtain', 'toilet', 'sink', 'bathtub',
           'otherfurniture')
META = dict(classes=CLASSES, ignore_index=20)


def name(number: int) -> str:
    return f'scene{number:04d}_00'


def labels(number: int, invalid: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Truth 0..20 (20 ignored) and prediction, 0..19 and sometimes something that is no class."""
    rng = np.random.default_rng(number)
    size = 60 + 17 * number
    truth = rng.integers(0, 21, size)
    predicted = np.where(rng.random(size) < 0.6, np.minimum(truth, 19), rng.integers(0, 20, size))
    if invalid:
        predicted[rng.random(size) < 0.1] = rng.choice([-1, 20, 255])
    return truth, predicted


def sample(number: int, labelled: bool = True, invalid: bool = True) -> dict:
    """What a metric receives for a scan."""
    truth, predicted = labels(number, invalid)
    return dict(pred_pts_seg=dict(pts_semantic_mask=predicted),
                eval_ann_info=dict(pts_semantic_mask=truth) if labelled else {}, scan_id=name(number))


def official(numbers: range, invalid: bool = True) -> tuple[dict[str, float], np.ndarray]:
    """IoU of each class, restated from ``evaluate_semantic_label.py`` in NYU40 ids, and its confusion ``(41, 41)``."""
    confusion = np.zeros((41, 41), np.uint64)
    for number in numbers:
        truth, predicted = labels(number, invalid)
        truth_ids = [VALID[t] if t < 20 else 0 for t in truth]
        predicted_ids = [VALID[p] if 0 <= p < 20 else 17 for p in predicted]  # 17 is an id, but none of the 20
        for true, guess in zip(truth_ids, predicted_ids):
            if true not in VALID:
                continue
            if guess not in VALID:
                guess = 40
            confusion[true][guess] += 1
    ious = {}
    for label, class_name in zip(VALID, CLASSES):
        tp = int(confusion[label, label])
        fn = int(confusion[label, :].sum()) - tp
        others = [other for other in VALID if other != label]
        fp = int(confusion[others, label].sum())
        ious[class_name] = tp / (tp + fp + fn) if tp + fp + fn else float('nan')
    return ious, confusion
