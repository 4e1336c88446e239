"""Segmentations as box masks: pycocotools where it can be trusted, and shapes drawn by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from mmfusion_plugin.converters.boxes_2d_masks import check_segmentation, mask_in_box

SHAPE = (60, 80)


def blob(seed: int, threshold: float = 0.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), 4) > threshold).astype(np.uint8)


def run_lengths(mask: np.ndarray, kind: str) -> dict:
    """Compressed by pycocotools, or counted here."""
    if kind == 'string':
        rle = coco.encode(np.asfortranarray(mask))
        return dict(size=list(rle['size']), counts=rle['counts'].decode())
    flat = np.r_[0, mask.T.ravel()]
    changes = np.flatnonzero(np.diff(flat)) if flat.any() else np.zeros(0, int)
    return dict(size=list(mask.shape), counts=np.diff(np.r_[0, changes, mask.size]).tolist())


@pytest.mark.parametrize('kind', ['string', 'list'])
@pytest.mark.parametrize('mask', [blob(0), blob(1, 0.1), np.zeros(SHAPE, np.uint8), np.ones(SHAPE, np.uint8)],
                         ids=['blob', 'sparse', 'nothing', 'everything'])
def test_run_lengths(mask, kind):
    rle = run_lengths(mask, kind)
    check_segmentation(rle, *SHAPE)
    # One cell per pixel of the image: -0.5 .. size - 0.5, as pixel centres are integers.
    square = mask_in_box(rle, [-0.5, -0.5, 79.5, 79.5], *SHAPE, size=80)
    np.testing.assert_array_equal(square[:60], mask.astype(bool))
    assert not square[60:].any()
    box = [7.3, -4.0, 71.9, 41.7]
    u, v = (box[i] + (np.arange(28) + 0.5) / 28 * (box[i + 2] - box[i]) for i in (0, 1))
    expected = [[0 <= round(b) < 60 and bool(mask[round(b), round(a)]) for a in u] for b in v]
    np.testing.assert_array_equal(mask_in_box(rle, box, *SHAPE), expected)


def test_large_run_lengths():
    mask = np.zeros((900, 1600), np.uint8)
    cv2.ellipse(mask, (800, 400), (600, 300), 20, 0, 360, 1, -1)
    mask[:, 1000:1010] = 0
    rle = coco.encode(np.asfortranarray(mask))
    rle = dict(size=rle['size'], counts=rle['counts'].decode())
    seen = mask_in_box(rle, [-0.5, -0.5, 1599.5, 1599.5], 900, 1600, size=1600)
    np.testing.assert_array_equal(seen[:900], mask.astype(bool))


def test_polygons_by_hand():
    # COCO: corners at (10, 20) and (30, 40), that is pixels 10..29 and 20..39, whose centres are these integers.
    square = [[10, 20, 30, 20, 30, 40, 10, 40]]
    pixels = mask_in_box(square, [-0.5, -0.5, 79.5, 79.5], *SHAPE, size=80)
    assert np.argwhere(pixels).tolist() == [[r, c] for r in range(20, 40) for c in range(10, 30)]
    # The box around these pixels is full; its centre lies half a pixel before COCO's.
    assert mask_in_box(square, [9.5, 19.5, 29.5, 39.5], *SHAPE).all()
    shifted = mask_in_box(square, [-10.5, 19.5, 29.5, 39.5], *SHAPE)
    assert not shifted[:, :14].any() and shifted[:, 14:].all()
    # Lower left triangle: below the diagonal, cell by cell.
    triangle = mask_in_box([[0, 0, 40, 40, 0, 40]], [-0.5, -0.5, 39.5, 39.5], *SHAPE, size=8)
    rows, columns = np.mgrid[:8, :8]
    np.testing.assert_array_equal(triangle[rows != columns], (rows > columns)[rows != columns])
    # A concave one (an L), and two parts.
    corner = mask_in_box([[0, 0, 10, 0, 10, 30, 40, 30, 40, 40, 0, 40]], [-0.5, -0.5, 39.5, 39.5], *SHAPE, size=4)
    np.testing.assert_array_equal(corner, [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]])
    parts = mask_in_box([[0, 0, 10, 0, 10, 40, 0, 40], [30, 0, 40, 0, 40, 40, 30, 40]], [-0.5, -0.5, 39.5, 39.5],
                        *SHAPE, size=4)
    np.testing.assert_array_equal(parts, [[1, 0, 0, 1]] * 4)


def test_polygons_against_pycocotools():
    random = np.random.default_rng(3)
    for _ in range(5):
        angle = np.sort(random.uniform(0, 2 * np.pi, 9))
        corners = np.c_[40 + 35 * np.cos(angle), 30 + 25 * np.sin(angle)] + random.normal(0, 3, (9, 2))
        polygon = [corners.ravel().tolist()]
        theirs = coco.decode(coco.merge(coco.frPyObjects(polygon, *SHAPE))).astype(bool)
        ours = mask_in_box(polygon, [-0.5, -0.5, 79.5, 79.5], *SHAPE, size=80)[:60]
        # They draw outlines in fifths of a pixel: no pixel off the outline may differ.
        outline = np.zeros(SHAPE, np.uint8)
        cv2.polylines(outline, [np.round(corners - 0.5).astype(np.int32)], True, 1, 3)
        assert theirs.sum() > 500 and not ((ours != theirs) & (outline == 0)).any()
        assert (ours != theirs).sum() < 0.05 * theirs.sum()


@pytest.mark.parametrize(
    ('segmentation', 'words'),
    [
        (None, 'list of polygons'),
        ([], 'list of polygons'),
        ('1,2,3', 'list of polygons'),
        ([[1, 2, 3, 4]], '3 corners'),
        ([[1, 2, 3, 4, 5, 6, 7]], '3 corners'),
        ([[1, 2, 3, float('nan'), 5, 6]], 'finite'),
        ([[1, 2, 3, 'x', 5, 6]], 'finite'),
        ([1, 2, 3, 4, 5, 6], 'finite'),
        (dict(counts='83'), 'size'),
        (dict(size=[80, 60], counts='83'), r'size \[80, 60\] in an image of \[60, 80\]'),
        (dict(size=[60, 80]), 'string or a list'),
        (dict(size=[60, 80], counts=b'83'), 'bytes'),
        (dict(size=[60, 80], counts='83'), 'do not cover'),
        (dict(size=[60, 80], counts=[10, 20]), 'do not cover'),
        (dict(size=[60, 80], counts=[-1, 4801]), 'do not cover'),
        (dict(size=[60, 80], counts=[4800.0]), 'do not cover'),
        (dict(size=[60, 80], counts='o'), 'breaks off'),
        (dict(size=[60, 80], counts='oooooooooooooo'), 'not one of COCO'),
        (dict(size=[60, 80], counts='8 3'), 'not one of COCO'),
    ],
)
def test_damage_is_named(segmentation, words):
    with pytest.raises(ValueError, match=words):
        check_segmentation(segmentation, *SHAPE)
    with pytest.raises(ValueError, match=words):
        mask_in_box(segmentation, [0, 0, 10, 10], *SHAPE)
