"""2D boxes of a sample."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample

from mmfusion_plugin.structures import Boxes2D


def make(count: int = 3) -> Boxes2D:
    random = np.random.default_rng(0)
    corners = np.sort(random.uniform(0, 900, (count, 2, 2)), axis=1).reshape(count, 4).astype(np.float32)
    ints = [random.integers(0, 4, count) for _ in range(4)]
    floats = [random.random(count).astype(np.float32) for _ in range(2)]
    return Boxes2D(corners, ints[0], ints[1], ints[2], floats[0], np.arange(count) % 2, floats[1])


def test_resize_and_flip_move_points_and_boxes_alike():
    boxes = make(5)
    for changed, x in (
        (boxes.resize(0.25, 0.5), (boxes.xyxy[:, [0, 2]] + 0.5) * 0.25 - 0.5),
        (boxes.flip_horizontal(0, 1600), None),
    ):
        assert (changed.xyxy[:, 2:] >= changed.xyxy[:, :2]).all()
        if x is not None:
            np.testing.assert_allclose(changed.xyxy[:, [0, 2]], x)
    flipped = boxes.flip_horizontal(0, 1600)
    here = boxes.view == 0
    np.testing.assert_allclose(flipped.xyxy[here, 0], 1599 - boxes.xyxy[here, 2])
    np.testing.assert_allclose(flipped.xyxy[~here], boxes.xyxy[~here])
    np.testing.assert_allclose(flipped.flip_horizontal(0, 1600).xyxy, boxes.xyxy, atol=1e-3)


@pytest.mark.parametrize('kind', ['numpy', 'torch'])
def test_concatenate_undoes_select(kind):
    boxes = make(4) if kind == 'numpy' else make(4).to('cpu')
    joined = Boxes2D.concatenate([boxes.select(slice(0, 1)), boxes.select(slice(1, 4))])
    for field in fields(Boxes2D):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(boxes, field.name))
        assert type(getattr(joined, field.name)) is type(boxes.xyxy)


def test_empty():
    assert len(Boxes2D.empty()) == len(Boxes2D.concatenate([])) == 0
    assert len(Boxes2D.empty().resize(2, 2).flip_horizontal(0, 10).select(np.zeros(0, bool)).to('cpu')) == 0


def test_to_keeps_integers():
    moved = make().to('cpu', torch.float64)
    assert moved.xyxy.dtype == moved.depth.dtype == torch.float64
    assert moved.label.dtype == moved.view.dtype == torch.int64
    assert make().to(dtype=torch.float16).category.dtype == torch.int64


def test_travels_in_a_data_sample():
    sample = Det3DDataSample()
    sample.gt_boxes_2d = make().to('cpu')
    for copied in (sample.to('cpu'), copy.deepcopy(sample), pickle.loads(pickle.dumps(sample))):
        torch.testing.assert_close(copied.gt_boxes_2d.xyxy, sample.gt_boxes_2d.xyxy)


def test_wrong_shapes():
    with pytest.raises(ValueError, match='K, 4'):
        Boxes2D(np.zeros((2, 5)), *[np.zeros(2)] * 6)
    with pytest.raises(ValueError, match='one entry per box'):
        Boxes2D(np.zeros((2, 4)), *[np.zeros(2)] * 5, np.zeros(3))
    with pytest.raises(ValueError, match='K, S, S'):
        Boxes2D(np.zeros((2, 4)), *[np.zeros(2)] * 6, mask=np.ones((2, 3, 4), bool))
    with pytest.raises(ValueError, match='one entry per box'):
        Boxes2D(np.zeros((2, 4)), *[np.zeros(2)] * 6, mask=np.ones((3, 4, 4), bool))


def in_box_by_hand(boxes: Boxes2D, k: int, u: float, v: float) -> bool:
    """The definition, one pixel at a time."""
    x1, y1, x2, y2 = (float(side) for side in boxes.xyxy[k])
    if not (x1 <= u <= x2 and y1 <= v <= y2):
        return False
    size = boxes.mask.shape[-1]
    row = min(int(np.floor((v - y1) / (y2 - y1) * size)), size - 1)
    column = min(int(np.floor((u - x1) / (x2 - x1) * size)), size - 1)
    return bool(boxes.mask[k, row, column])


def masked(count: int, size: int = 7) -> Boxes2D:
    return replace(make(count), mask=np.random.default_rng(1).random((count, size, size)) < 0.5)


@pytest.mark.parametrize('kind', ['numpy', 'torch'])
@pytest.mark.parametrize('boxes', [make(4), masked(4)], ids=['whole boxes', 'masks'])
def test_contains(kind, boxes):
    random = np.random.default_rng(2)
    index = random.integers(0, 4, 4000)
    low, high = boxes.xyxy[index, :2], boxes.xyxy[index, 2:]
    pixels = (low + random.uniform(-0.2, 1.2, (4000, 2)) * (high - low)).astype(np.float64)
    pixels[:40], pixels[40:80] = low[:40], high[40:80]
    expected = [in_box_by_hand(boxes, k, u, v) for k, (u, v) in zip(index, pixels)]
    if kind == 'torch':
        held = boxes.to('cpu', torch.float64).contains(torch.from_numpy(index), torch.from_numpy(pixels))
    else:
        held = replace(boxes, xyxy=boxes.xyxy.astype(np.float64)).contains(index, pixels)
    assert held.shape == (4000,) and 200 < sum(expected) < 3800
    np.testing.assert_array_equal(held, expected)


def test_a_box_without_extent_holds_its_one_pixel():
    whole = replace(make(1), xyxy=np.array([[5, 6, 5, 6]], np.float32))
    for boxes in (whole, replace(whole, mask=np.ones((1, 4, 4), bool))):
        with np.errstate(all='raise'):
            held = boxes.contains(np.zeros(3, int), np.array([[5.0, 6.0], [5.1, 6.0], [5.0, 5.9]]))
        assert held.tolist() == [True, False, False]


@pytest.mark.parametrize('kind', ['numpy', 'torch'])
def test_masks_follow_resize_flip_and_select(kind):
    boxes = masked(5)
    boxes = boxes if kind == 'numpy' else boxes.to('cpu')
    index, random = np.arange(5).repeat(300), np.random.default_rng(3)
    low, high = np.asarray(boxes.xyxy)[index, :2], np.asarray(boxes.xyxy)[index, 2:]
    # Cell centres: rounding moves none of them into another cell.
    pixels = (low + (random.integers(0, 7, (1500, 2)) + 0.5) / 7 * (high - low)).astype(np.float32)
    moved = (pixels + 0.5) * np.array([0.25, 0.5], np.float32) - 0.5
    mirrored = np.where((np.asarray(boxes.view) == 1)[index, None], np.c_[399 - moved[:, 0], moved[:, 1]], moved)
    changed = boxes.resize(0.25, 0.5).flip_horizontal(1, 400).select([4, 3, 2, 1, 0])
    arrays = (index, pixels), (4 - index, mirrored)
    before, after = (
        one.contains(*(torch.as_tensor(a) if kind == 'torch' else a for a in pair))
        for one, pair in zip((boxes, changed), arrays)
    )
    np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(boxes.mask, masked(5).mask)  # unchanged


@pytest.mark.parametrize('kind', ['numpy', 'torch'])
def test_whole_boxes_join_masks_and_sizes_do_not_mix(kind):
    parts = [make(2), masked(3), Boxes2D.empty()]
    parts = parts if kind == 'numpy' else [part.to('cpu') for part in parts]
    joined = Boxes2D.concatenate(parts)
    assert joined.mask.shape == (5, 7, 7) and joined.mask[:2].all() and type(joined.mask) is type(joined.xyxy)
    np.testing.assert_array_equal(joined.mask[2:], masked(3).mask)
    assert make(2).to('cpu').mask.dtype == torch.bool and make(2).mask.shape == (2, 1, 1)
    with pytest.raises(ValueError, match=r'\[7, 28\]'):
        Boxes2D.concatenate([masked(1), masked(1, 28)])
