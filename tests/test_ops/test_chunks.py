"""Boxes that cover a scene: against a plain window slid by hand, and every point in a core."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmfusion_plugin.ops.chunks import chunk_grid, in_box


def plain_grid(points, size, stride, margin, min_points):
    """Window after window, then greedily those that hold points no other one does."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    counts = [max(1, math.ceil((high[a] - low[a] - size[a]) / stride) + 1) for a in (0, 1)]
    cores = [low + [stride * i, stride * j] for i in range(counts[0]) for j in range(counts[1])]
    masks = [((points[:, :2] >= c) & (points[:, :2] <= c + size)).all(1) for c in cores]
    kept = [mask.sum() >= min_points for mask in masks]
    while True:
        missing = ~np.any([mask for mask, keep in zip(masks, kept) if keep] or [np.zeros(len(points), bool)], axis=0)
        if not missing.any():
            return np.array([[*c - margin, *c + size + margin] for c, keep in zip(cores, kept) if keep])
        gains = [0 if keep else (mask & missing).sum() for mask, keep in zip(masks, kept)]
        kept[int(np.argmax(gains))] = True


@pytest.mark.parametrize('min_points', [1, 40, 120, 10**6])
@pytest.mark.parametrize('size', [(1.5, 1.5), (0.9, 1.3)])
def test_against_a_window_slid_by_hand(size, min_points):
    rng = np.random.default_rng(0)
    dense = rng.random((900, 3)) * [3.71, 2.83, 3.0]
    sparse = rng.random((60, 3)) * [5.17, 6.29, 3.0]
    points = np.concatenate([dense, sparse]) - [7, 1, 0]
    boxes = chunk_grid(points, size, 0.5, 0.2, min_points)
    assert boxes.dtype == np.float64
    np.testing.assert_allclose(boxes, plain_grid(points, size, 0.5, 0.2, min_points), rtol=0, atol=1e-12)


def covered(points, boxes, margin):
    return np.any([in_box(points, box + [margin, margin, -margin, -margin]) for box in boxes], axis=0)


@pytest.mark.parametrize('extent', [(0.3, 0.8), (1.5, 1.5), (2.5, 1.5), (2.5000001, 1.7), (7.1, 3.3), (0.0, 0.0)])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_every_point_lies_in_a_core(extent, dtype):
    """With points on the far edges, of extents that are no multiples of anything in binary."""
    rng = np.random.default_rng(1)
    for offset in rng.random(30) * 100 - 50:
        corners = np.concatenate([np.zeros((1, 2)), rng.random((40, 2)), np.ones((1, 2))]) * extent
        points = (corners + offset).astype(dtype)
        for stride in (0.5, 0.1, 1.5):
            boxes = chunk_grid(points, stride=stride, margin=0, min_points=rng.integers(1, 30))
            assert covered(points, boxes, 0).all()
            full = chunk_grid(points, stride=stride, margin=0, min_points=1)
            assert (full[0, :2] == points.min(0)).all() and (full[-1, 2:] >= points.max(0)).all()


def test_no_more_windows_than_needed():
    """Extents that are whole numbers of strides in decimals, rounded up or down in binary."""
    for extent, count in ((1.5, 1), (2.0, 2), (2.3, 3), (2.5, 3), (6.0, 10)):
        for offset in (0.0, 0.1, -3.7, 12.3):
            line = np.linspace([0, 0], [extent, 0], 200, dtype=np.float32) + np.float32(offset)
            assert len(chunk_grid(line, min_points=1)) == count, (extent, offset)


def test_small_scans_and_few_points():
    scan = np.array([[1.0, 2.0, 0.0], [1.4, 2.9, 1.0]])  # no window at all in MVPNet
    np.testing.assert_allclose(chunk_grid(scan), [[0.8, 1.8, 2.7, 3.7]])
    assert chunk_grid(np.zeros((0, 3))).shape == (0, 4)
    lonely = np.concatenate([np.random.default_rng(2).random((2000, 3)), [[1.9, 0.5, 0.0], [9.0, 0.5, 0.0]]])
    boxes = chunk_grid(lonely)
    assert covered(lonely, boxes, 0.2).all() and len(boxes) == 3 < len(chunk_grid(lonely, min_points=1))
    for empty in (0, -5):
        np.testing.assert_array_equal(chunk_grid(lonely, min_points=empty), chunk_grid(lonely, min_points=1))


def test_in_box_keeps_its_sides():
    points = np.array([[0, 0, 9], [1, 2, 9], [0.5, 2.1, 9], [-0.1, 1, 9]])
    box = np.array([0.0, 0.0, 1.0, 2.0])
    expected = [True, True, False, False]
    assert in_box(points, box).tolist() == expected
    assert in_box(torch.from_numpy(points), torch.from_numpy(box)).tolist() == expected
    single = points.astype(np.float32)
    single[0, 0] = 0.1  # 1.5e-9 above the double
    assert in_box(single, np.array([0.1, 0, 1, 2])).tolist()[0]
    assert not in_box(single, np.array([-1, -1, 0.1, 2])).tolist()[0]


def test_clear_errors():
    points = np.zeros((3, 3))
    for bad in (dict(stride=0.0), dict(stride=1.6), dict(margin=-0.1), dict(size=(1.0, 0.2)), dict(stride=math.nan)):
        with pytest.raises(ValueError, match='need 0 < stride <= size and 0 <= margin, got size='):
            chunk_grid(points, **bad)
    with pytest.raises(ValueError, match=r'points must be \(N, at least 2\), got \(3,\)'):
        chunk_grid(np.zeros(3))
    points[1, 0] = np.nan
    with pytest.raises(ValueError, match='NaN or infinite coordinates: drop those points first'):
        chunk_grid(points)
