"""2D boxes of a sample."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields

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
