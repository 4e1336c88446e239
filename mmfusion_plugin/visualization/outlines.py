"""A photograph with the outline of a mask, drawn into a panel."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np
from matplotlib.axes import Axes

from .style import FAINT

OUTLINE = '#d6219c'  # seldom a colour of plants, animals or paper
_LONGEST = 900  # pixels of a drawn photograph's longer side

Box = Tuple[int, int, int, int]


def draw_outlined(
    axes: Axes, image: np.ndarray, mask: Optional[np.ndarray] = None, box: Optional[Box] = None, line: float = 0.8
) -> None:
    """Draw a photograph, or a part of it, and the outline of its mask along the edges of pixels.

    Args:
        axes: Drawn into; without ticks afterwards.
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)``, 0 being background; None draws no outline.
        box: Left, top, right and bottom of the part (pixels, the latter two excluded); None is all.
        line: Width of the outline, points.
    """
    left, top, right, bottom = box or (0, 0, image.shape[1], image.shape[0])
    part = np.ascontiguousarray(image[top:bottom, left:right])
    scale = min(_LONGEST / max(part.shape[:2]), 1.0)
    size = tuple(max(round(side * scale), 1) for side in part.shape[1::-1])
    shown = cv2.resize(part, size, interpolation=cv2.INTER_AREA) if scale < 1 else part
    extent = (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
    axes.imshow(shown, extent=extent, interpolation='antialiased' if scale < 1 else 'nearest')
    if mask is not None:
        solid = (mask[top:bottom, left:right] != 0).astype(np.float32)
        _outline(axes, cv2.resize(solid, size, interpolation=cv2.INTER_AREA), extent, line)
    axes.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[], aspect='equal')
    for spine in axes.spines.values():
        spine.set_color(FAINT)


def _outline(axes: Axes, cover: np.ndarray, extent: Tuple[float, ...], line: float) -> None:
    """Where ``cover`` (h, w) is half."""
    if not cover.any():
        return
    left, right, bottom, top = extent
    height, width = cover.shape
    # A rim of background closes outlines at the photograph's edge.
    columns = left + (np.arange(-1, width + 1) + 0.5) * (right - left) / width
    rows = top + (np.arange(-1, height + 1) + 0.5) * (bottom - top) / height
    axes.contour(columns, rows, np.pad(cover, 1), [0.5], colors=OUTLINE, linewidths=line)


def object_box(mask: np.ndarray, margin: float = 0.1) -> Optional[Box]:
    """Box (left, top, right, bottom) of a mask's foreground and a margin, a share of its longer side; None if empty."""
    columns, rows = mask.any(axis=0).nonzero()[0], mask.any(axis=1).nonzero()[0]
    if not len(rows):
        return None
    more = 2 + round(margin * max(np.ptp(columns), np.ptp(rows)))
    low = max(columns[0] - more, 0), max(rows[0] - more, 0)
    high = min(columns[-1] + more + 1, mask.shape[1]), min(rows[-1] + more + 1, mask.shape[0])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
