"""Masks as a segmentation network leaves them: with holes, lost parts and pieces of the background."""

from __future__ import annotations

from typing import Iterable

import cv2
import numpy as np

from mmfusion_plugin.synthetic.herbarium_canvas import Canvas, ellipse
from mmfusion_plugin.synthetic.herbarium_sheet import Box


def damaged(rng: np.random.Generator, mask: np.ndarray, boxes: Iterable[Box], scale: float) -> np.ndarray:
    """A mask of mixed quality: a third stays nearly right, a third is poor, and the others lie between.

    Args:
        rng: Source of randomness.
        mask: (H, W) uint8, 255 on the plant.
        boxes: Of label, card and the like, pieces of which are taken for plant.
        scale: Pixels per mm.

    Returns:
        (H, W) uint8 of 0 and 255; never empty where ``mask`` is not.
    """
    quality = rng.choice([0.15, 0.55, 1.0])
    out = Canvas(mask.copy(), scale)
    if rng.random() < 0.6 * quality:
        out.pixels[:] = _thinned(out.pixels, rng.uniform(0.5, 1.6) * scale)
    _lose_parts(rng, out, quality)
    _holes(rng, out, quality)
    _background(rng, out, list(boxes), quality)
    result = np.where(out.pixels > 127, 255, 0).astype(np.uint8)
    return result if (result & mask).any() else mask


def _thinned(mask: np.ndarray, width: float) -> np.ndarray:
    """The mask without what is thinner than ``width`` pixels: stalks, thorns and tips go first."""
    side = max(int(round(width)), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)


def _plant_points(rng: np.random.Generator, mask: np.ndarray, count: int) -> np.ndarray:
    """``(<= count, 2)`` random pixels x, y of the plant."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return np.zeros((0, 2))
    chosen = rows[rng.integers(len(rows), size=count)]
    return np.stack([chosen % mask.shape[1], chosen // mask.shape[1]], axis=1).astype(float)


def _lose_parts(rng: np.random.Generator, out: Canvas, quality: float) -> None:
    """Whole leaves or the end of a branch are missed."""
    for pixel in _plant_points(rng, out.pixels, int(rng.integers(0, 4) * quality + 0.5)):
        radii = rng.uniform(10, 34, 2) * quality
        out.fill(_ragged(rng, pixel / out.scale, tuple(radii)), (0, 0, 0))


def _holes(rng: np.random.Generator, out: Canvas, quality: float) -> None:
    for pixel in _plant_points(rng, out.pixels, int(rng.integers(3, 22) * quality)):
        out.fill(_ragged(rng, pixel / out.scale, tuple(rng.uniform(0.8, 5.0, 2))), (0, 0, 0))


def _background(rng: np.random.Generator, out: Canvas, boxes: list, quality: float) -> None:
    """Shadows beside leaves, stains, and parts of what lies on the sheet are taken for plant."""
    white = (255, 255, 255)
    for pixel in _plant_points(rng, out.pixels, int(rng.integers(0, 10) * quality)):
        out.fill(_ragged(rng, pixel / out.scale + rng.normal(0, 9, 2), tuple(rng.uniform(2, 8, 2))), white)
    for _ in range(int(rng.integers(0, 5) * quality)):
        out.fill(_ragged(rng, rng.uniform([0, 0], out.size), tuple(rng.uniform(2, 9, 2))), white)
    for left, top, width, height in boxes:
        if rng.random() > 0.3 * quality:
            continue
        share = rng.uniform(0.25, 1.0, 2)
        corner = left + (1 - share[0]) * width * rng.random(), top + (1 - share[1]) * height * rng.random()
        out.box(corner, (share[0] * width, share[1] * height), white)


def _ragged(rng: np.random.Generator, centre: np.ndarray, radii: tuple) -> np.ndarray:
    """An ellipse with an uneven rim (mm)."""
    rim = ellipse((0.0, 0.0), radii, rng.uniform(0, np.pi), 16)
    return centre + rim * rng.uniform(0.65, 1.25, (16, 1))
