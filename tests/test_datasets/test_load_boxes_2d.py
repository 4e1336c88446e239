"""2D boxes with masks on their way through the pipeline."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from mmdet3d.registry import TRANSFORMS
from mmengine.dataset import Compose
from pycocotools import mask as coco

from mmfusion_plugin.datasets.damage import CorruptDataError

COMMON = dict(category=17, category_name='vehicle.car', visibility=4, truncation=0.0, depth=9.0)
TRIANGLE = [100, 200, 300, 200, 100, 400]  # COCO: corners at integers; the right angle is the upper left one


@pytest.fixture
def info(build):
    info = copy.deepcopy(build(modality=dict(use_camera=True)).get_data_info(0))
    box = dict(COMMON, bbox=[99.5, 199.5, 299.5, 399.5])
    pixels = np.zeros((900, 1600), np.uint8, order='F')
    pixels[200:400, 100:200] = 1  # left half
    rle = coco.encode(pixels)
    info['images']['CAM_FRONT']['boxes_2d'] = [
        dict(box, segmentation=[TRIANGLE]),
        dict(box, segmentation=dict(size=rle['size'], counts=rle['counts'].decode())),
        box,
        dict(box, segmentation=[]),
    ]
    return info


def load(info, **options):
    steps = [dict(type='LoadCameraImages', cameras=['CAM_FRONT']), dict(type='LoadBoxes2D', **options)]
    return Compose(steps)(info)


def test_masks_of_polygons_and_run_lengths(info):
    boxes = load(info, with_masks=True)['gt_boxes_2d']
    assert boxes.mask.shape == (4, 28, 28) and boxes.mask.dtype == bool
    rows, columns = np.mgrid[:28, :28]
    off = rows + columns != 27
    np.testing.assert_array_equal(boxes.mask[0][off], (rows + columns < 27)[off])
    np.testing.assert_array_equal(boxes.mask[1], columns < 14)
    assert boxes.mask[2:].all()
    # Pixel centres are integers: columns 100..199 are in the left half, 99 and 200 are not.
    u = np.array([99, 100, 199, 200])
    assert boxes.contains(np.ones(4, int), np.c_[u, [300] * 4]).tolist() == [False, True, True, False]


def test_without_masks_boxes_are_whole(info):
    boxes = load(info)['gt_boxes_2d']
    assert boxes.mask.shape == (4, 1, 1) and boxes.mask.all()
    assert load(info, with_masks=True, mask_size=7)['gt_boxes_2d'].mask.shape == (4, 7, 7)
    info['images']['CAM_FRONT']['boxes_2d'] = []
    assert load(info, with_masks=True)['gt_boxes_2d'].mask.shape == (0, 28, 28)


def test_masks_follow_the_image(info):
    changes = [dict(type='ResizeImages', size=(400, 240)), dict(type='RandomFlipImages', prob=1.0)]
    before = load(copy.deepcopy(info), with_masks=True)['gt_boxes_2d']
    after = Compose(changes)(load(info, with_masks=True))['gt_boxes_2d']
    u, v = (grid.ravel() for grid in np.meshgrid(np.linspace(90, 310, 97), np.linspace(190, 410, 89)))
    moved = np.c_[399 - ((u + 0.5) / 4 - 0.5), (v + 0.5) * 240 / 900 - 0.5]
    box = np.zeros(len(u), int)
    held = before.contains(box, np.c_[u, v])
    assert 0.3 * len(u) < held.sum() < 0.5 * len(u)
    assert (held == after.contains(box, moved)).mean() > 0.998  # but for rounding at the cells' borders


def test_damaged_masks_are_named(info):
    info['images']['CAM_FRONT']['boxes_2d'][0]['segmentation'] = dict(size=[900, 1600], counts='83')
    load(copy.deepcopy(info))  # not looked at
    with pytest.raises(CorruptDataError, match=r'CAM_FRONT in sample \w+: run lengths are damaged'):
        load(info, with_masks=True)


def test_wrong_mask_size():
    with pytest.raises(ValueError, match='mask_size'):
        TRANSFORMS.build(dict(type='LoadBoxes2D', with_masks=True, mask_size=0))
