"""The few frames that together see most: greedy choice of views (MVPNet, arXiv 1909.13603)."""

from __future__ import annotations

import numpy as np


def greedy_views(overlap: np.ndarray, num_views: int) -> np.ndarray:
    """Choose frames one after the other, each the one that sees most of what none before it saw.

    What is seen together is at least ``1 - (1 - 1 / num_views) ** num_views``, hence 63 %, of the most that any choice
    of as many frames can see.

    Args:
        overlap: (F, K) bool, which points each frame sees, as from :func:`~.frame_overlap.frame_overlap`.
        num_views: V, number of frames wanted.

    Returns:
        (V,) int64 positions of frames in the order of choice, the lowest of equally good ones; -1 ("no view") from
        where no frame would add a point.

    Raises:
        ValueError: ``overlap`` is no matrix, or ``num_views`` is negative.
    """
    overlap = np.asarray(overlap)
    if overlap.ndim != 2 or num_views < 0:
        raise ValueError(f'need overlap (F, K) and num_views >= 0, got {overlap.shape} and {num_views}')
    views = np.full(num_views, -1, np.int64)
    candidates = np.flatnonzero(overlap.any(axis=1))
    overlap = overlap[candidates].astype(bool)
    counted = overlap.astype(np.float32)  # its products are counts, exact below 2^24 points
    uncovered = np.ones(overlap.shape[1], np.float32)
    for place in range(num_views if len(candidates) else 0):
        gain = counted @ uncovered
        best = gain.argmax()
        if not gain[best]:
            break
        views[place] = candidates[best]
        uncovered[overlap[best]] = 0
    return views
