"""COCO segmentations (polygons, run lengths) as masks in box coordinates.

COCO counts from pixel corners: the pixel in column ``c`` covers ``c <= x < c + 1``, and polygons and boxes ``[x, y, w,
h]`` are given in these coordinates. Here pixel centres are integers, so ``x = u + 0.5``. Segmentations stay as COCO
writes them until a mask is asked for; this file alone shifts them.

pycocotools is not used to read them: it takes what does not fit together (run lengths that end early, polygons a
million pixels wide) and answers with memory that it never wrote, or asks for more than there is.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np


def check_segmentation(segmentation: Any, height: int, width: int) -> None:
    """Check that a segmentation can be read.

    Args:
        segmentation: List of polygons ``[x1, y1, x2, y2, ...]``, or run lengths ``dict(size=[height, width],
            counts=...)`` in COCO's compressed string or as a list.
        height: Of the image.
        width: Of the image.

    Raises:
        ValueError: It is neither, is damaged, or belongs to an image of another size.
    """
    if isinstance(segmentation, dict):
        _run_ends(segmentation, height, width)
    else:
        _polygons(segmentation)


def mask_in_box(segmentation: Any, box: Sequence[float], height: int, width: int, size: int = 28) -> np.ndarray:
    """A segmentation seen at the centres of ``size x size`` cells that divide a box.

    Args:
        segmentation: As for :func:`check_segmentation`, in COCO's coordinates (pixel corners at integers).
        box: ``[x1, y1, x2, y2]`` in pixels, pixel centres at integers.
        height: Of the image.
        width: Of the image.
        size: Cells on a side; Mask R-CNN (He et al., 2017) has 28.

    Returns:
        ``(size, size)`` bool, row 0 at y1, column 0 at x1.

    Raises:
        ValueError: As :func:`check_segmentation`.
    """
    steps = (np.arange(size) + 0.5) / size
    x = box[0] + steps * (box[2] - box[0]) + 0.5
    y = box[1] + steps * (box[3] - box[1]) + 0.5
    if not isinstance(segmentation, dict):
        return _in_polygons(_polygons(segmentation), x, y)
    ends = _run_ends(segmentation, height, width)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = ((row >= 0) & (row < height))[:, None] & (column >= 0) & (column < width)
    # Runs go down the columns and are off and on by turns, the first one being off.
    run = np.searchsorted(ends, column * height + row[:, None], side='right')
    return inside & (run % 2 == 1)


def _in_polygons(polygons: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(len(y), len(x))`` bool: within any of the polygons, by the number of edges on a ray to the left."""
    mask = np.zeros((len(y), len(x)), dtype=bool)
    for start in polygons:
        end = np.roll(start, -1, axis=0)
        crossed = (start[:, 1] <= y[:, None]) != (end[:, 1] <= y[:, None])  # (rows, edges)
        line, edge = np.nonzero(crossed)
        (x1, y1), (x2, y2) = start[edge].T, end[edge].T
        at = x1 + (y[line] - y1) / (y2 - y1) * (x2 - x1)
        count = np.zeros(mask.shape, dtype=np.int64)
        np.add.at(count, line, at[:, None] <= x)
        mask |= count % 2 == 1
    return mask


def _polygons(segmentation: Any) -> list[np.ndarray]:
    """Corners ``(n, 2)`` of each polygon."""
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError('a segmentation must be a list of polygons or a dictionary of run lengths')
    polygons = []
    for flat in segmentation:
        try:
            corners = np.array(flat, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            corners = np.zeros(0)
        if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2 or not np.isfinite(corners).all():
            raise ValueError('a polygon must be a list [x1, y1, x2, y2, ...] of finite numbers, of 3 corners or more')
        polygons.append(corners.reshape(-1, 2))
    return polygons


def _run_ends(rle: dict, height: int, width: int) -> np.ndarray:
    """Pixel after each run, in column order; the last one is ``height * width``."""
    if list(rle.get('size', ())) != [height, width]:
        raise ValueError(f'run lengths are of size {rle.get("size")!r} in an image of [{height}, {width}]')
    counts = rle.get('counts')
    if not isinstance(counts, (str, list)):
        raise ValueError(f'"counts" of run lengths must be a string or a list, got {type(counts).__name__}')
    runs = _decompress(counts) if isinstance(counts, str) else counts
    if not all(type(run) is int and 0 <= run <= height * width for run in runs) or sum(runs) != height * width:
        raise ValueError(f'run lengths are damaged: they do not cover the {width} x {height} pixels of the image')
    return np.cumsum(runs)


def _decompress(text: str) -> list[int]:
    """COCO's string of run lengths: each number in characters of six bits from '0' on, five of them of the number,
    least first, the sixth when more follow; from the fourth on, the difference to the number two before."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError('run lengths are damaged: the string is not one of COCO')
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4)  # two's complement: the last number's fifth bit is the sign
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError('run lengths are damaged: the string breaks off')
    return runs
