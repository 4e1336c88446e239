"""What a segmentor has to beat: two predictors that look at no shape at all.

A score means little without a floor. ``MajorityBaseline`` answers the most frequent class of the training set for every
point; ``HeightBaseline`` answers the most frequent class at the point's height, which already solves much of a flat
street. Both are fitted and applied in one pass over (height, label) pairs, in numpy.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

Sweep = tuple[np.ndarray, np.ndarray]


class HeightBaseline:
    """The most frequent class per height bin.

    Args:
        num_classes: Classes are ``0..num_classes-1``; any other label is ignored while fitting.
        bin_size: Height of a bin, metres.
        lower: Lowest bin's lower edge, metres in the frame of the heights given. Heights outside fall into the
            outermost bins.
        upper: Highest bin's upper edge, metres.
    """

    def __init__(self, num_classes: int, bin_size: float = 0.1, lower: float = -5.0, upper: float = 15.0) -> None:
        if bin_size <= 0 or upper <= lower:
            raise ValueError(f'need bin_size > 0 and upper > lower, got {bin_size}, [{lower}, {upper}]')
        self.num_classes, self.bin_size, self.lower = num_classes, bin_size, lower
        self.counts = np.zeros((max(1, int(np.ceil((upper - lower) / bin_size))), num_classes), np.int64)

    def _bins(self, height: np.ndarray) -> np.ndarray:
        bins = np.floor((np.asarray(height, np.float64) - self.lower) / self.bin_size)
        return np.clip(bins, 0, len(self.counts) - 1).astype(np.int64)

    def fit(self, sweeps: Iterable[Sweep]) -> HeightBaseline:
        """Add the counts of ``(height (N,) metres, label (N,) int)`` pairs; returns itself."""
        for height, label in sweeps:
            if len(height) != len(label):
                raise ValueError(f'a sweep has {len(height)} heights but {len(label)} labels')
            keep = (label >= 0) & (label < self.num_classes)
            key = self._bins(height[keep]) * self.num_classes + label[keep]
            self.counts += np.bincount(key, minlength=self.counts.size).reshape(self.counts.shape)
        return self

    def predict(self, height: np.ndarray) -> np.ndarray:
        """Class per point ``(N,) int64``; a bin never seen in training answers the overall majority."""
        if not self.counts.any():
            raise ValueError('the baseline has seen no labelled point: call fit() with labelled sweeps first')
        answer = self.counts.argmax(axis=1)
        answer[self.counts.sum(axis=1) == 0] = self.counts.sum(axis=0).argmax()
        return answer[self._bins(height)]


class MajorityBaseline(HeightBaseline):
    """The most frequent class everywhere: a height baseline with a single bin."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, bin_size=1.0, lower=0.0, upper=1.0)
