"""How far 2D boxes are from the exact ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass
class BoxQuality:
    """Counts over images, and the shares that follow from them (NaN where nothing was counted).

    Boxes are paired one to one within an image, whatever their class, so that the sum of the IoUs is largest; pairs
    below an IoU of 0.5 count as unmatched.

    Attributes:
        exact: Exact boxes.
        given: Boxes to judge.
        matched: Pairs.
        iou_sum: Sum of their IoUs.
        right_class: Pairs of one category.
    """

    MIN_IOU = 0.5

    exact: int = 0
    given: int = 0
    matched: int = 0
    iou_sum: float = 0.0
    right_class: int = 0

    def add(self, exact: Sequence[dict], given: Sequence[dict]) -> None:
        """Count the boxes of one image: entries of an info file with ``bbox`` and ``category``."""
        self.exact += len(exact)
        self.given += len(given)
        if not exact or not given:
            return
        iou = box_iou(*(np.array([box['bbox'] for box in boxes], dtype=np.float64) for boxes in (exact, given)))
        same = np.equal.outer([box['category'] for box in exact], [box['category'] for box in given])
        iou[iou < self.MIN_IOU] = 0.0
        # Between boxes that lie on each other the class decides.
        rows, columns = linear_sum_assignment(iou + 1e-6 * (same & (iou > 0)), maximize=True)
        rows, columns = (index[iou[rows, columns] > 0] for index in (rows, columns))
        self.matched += len(rows)
        self.iou_sum += float(iou[rows, columns].sum())
        self.right_class += int(same[rows, columns].sum())

    @property
    def recall(self) -> float:
        """Share of the exact boxes that have a match."""
        return _share(self.matched, self.exact)

    @property
    def precision(self) -> float:
        """Share of the given boxes that have a match."""
        return _share(self.matched, self.given)

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the matches."""
        return _share(self.iou_sum, self.matched)

    @property
    def class_accuracy(self) -> float:
        """Share of the matches with the right category."""
        return _share(self.right_class, self.matched)

    def __str__(self) -> str:
        return (
            f'{self.given} boxes for {self.exact} exact ones: recall {self.recall:.3f}, precision {self.precision:.3f} '
            f'at IoU {self.MIN_IOU}, mean IoU of the matches {self.mean_iou:.3f}, right class {self.class_accuracy:.3f}'
        )


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``(A, 4)`` and ``(B, 4)`` ``[x1, y1, x2, y2]``: ``(A, B)``, 0 without area."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clip(0).prod(-1)
    union = np.add.outer(*((boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second))) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float('nan')
