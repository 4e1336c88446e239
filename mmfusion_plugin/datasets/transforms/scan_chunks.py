"""Chunks of a scan: what fits into a network at once (PointNet++'s and MVPNet's sliding window)."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...converters.scannet_taxonomy import UNLABELLED
from ...ops.chunks import chunk_grid, in_box
from .arguments import check_number
from .per_point import select_points


@TRANSFORMS.register_module()
class RandomChunk(BaseTransform):
    """Cut a random chunk with enough labelled points out of a scan.

    A chunk is a box around a random point of the scan, upright and unbounded in height, widened by ``margin``. When
    none of ``tries`` chunks has enough labels, the whole scan is taken, as in MVPNet.

    Args:
        size: Extent in x and y, metres (paper and MVPNet: 1.5 each; the paper's 3 m of height bounds no room).
        margin: Added on each side (MVPNet: 0.2).
        min_labelled: Least share of points with a class (MVPNet: 0.3).
        tries: Chunks to try (MVPNet: 10).
    """

    def __init__(
        self, size: Sequence[float] = (1.5, 1.5), margin: float = 0.2, min_labelled: float = 0.3, tries: int = 10
    ) -> None:
        check_chunk(size, margin)
        check_number('min_labelled', min_labelled, 0, 1)
        check_number('tries', tries, 1)
        self.size, self.margin, self.min_labelled, self.tries = tuple(size), margin, min_labelled, int(tries)

    def transform(self, results: dict) -> dict:
        """Keep the points of the chunk and add ``chunk_box`` ``(4,)`` float64, x0, y0, x1, y1 with the margin."""
        xy = results['points'].tensor[:, :2].numpy()
        labelled = results['pts_semantic_mask'] != results['seg_label_mapping'][UNLABELLED]
        reach = np.array(self.size) / 2 + self.margin
        for _ in range(self.tries):
            centre = xy[np.random.randint(len(xy))].astype(np.float64)
            box = np.concatenate([centre - reach, centre + reach])
            inside = in_box(xy, box)
            if labelled[inside].mean() >= self.min_labelled:
                break
        else:
            low, high = xy.min(0).astype(np.float64), xy.max(0).astype(np.float64)
            box = np.concatenate([low - self.margin, high + self.margin])
            inside = np.ones(len(xy), dtype=bool)
        results['chunk_box'] = box
        return select_points(results, inside)


@TRANSFORMS.register_module()
class SamplePoints(BaseTransform):
    """Draw a fixed number of points, so that clouds of a batch are equally large.

    Args:
        num_points: How many (paper: 8192). Drawn without replacement where there are enough, as in MVPNet.
    """

    def __init__(self, num_points: int = 8192) -> None:
        check_number('num_points', num_points, 1)
        self.num_points = int(num_points)

    def transform(self, results: dict) -> dict:
        """Keep the points drawn, with their labels."""
        count = len(results['points'])
        return select_points(results, np.random.choice(count, self.num_points, replace=count < self.num_points))


@TRANSFORMS.register_module()
class CutIntoChunks(BaseTransform):
    """Cover a whole scan with overlapping chunks, for testing.

    Args:
        size: Extent in x and y without the margin, metres (MVPNet: 1.5 each).
        stride: Between neighbouring chunks, metres (paper and MVPNet: 0.5).
        margin: Added on each side (MVPNet: 0.2).
        min_points: Chunks with fewer points in their core are left out (MVPNet: 1000), unless a point would be in none.
    """

    def __init__(
        self, size: Sequence[float] = (1.5, 1.5), stride: float = 0.5, margin: float = 0.2, min_points: int = 1000
    ) -> None:
        check_chunk(size, margin)
        check_number('min_points', min_points, 0)
        if not 0 < stride <= min(size):
            raise ValueError(f'stride must lie above 0 and at most at size {list(size)}, got {stride}')
        self.size, self.stride, self.margin, self.min_points = tuple(size), stride, margin, int(min_points)

    def transform(self, results: dict) -> dict:
        """Add ``chunk_boxes`` ``(K, 4)`` float64, x0, y0, x1, y1 with the margin, that hold every point."""
        xy = results['points'].tensor[:, :2].numpy()
        results['chunk_boxes'] = chunk_grid(xy, self.size, self.stride, self.margin, self.min_points)
        return results


def check_chunk(size: Sequence[float], margin: float) -> None:
    """Refuse extents that are not positive, and a negative margin."""
    if isinstance(size, (int, float)) or len(size) != 2 or not all(0 < length < np.inf for length in size):
        raise ValueError(f'size must be two positive lengths in metres, got {size!r}')
    check_number('margin', margin, 0)
