"""Degraded boxes: the errors that were asked for, and figures that count them."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest

from mmfusion_plugin.converters.boxes_2d_degrade import LEVELS, Degradation, degrade_boxes, degrade_infos
from mmfusion_plugin.converters.boxes_2d_quality import BoxQuality, box_iou
from mmfusion_plugin.converters.nuscenes_taxonomy import FINE_NAMES

SQUARE = [[300, 300, 400, 300, 400, 400, 300, 400]]


def image(count: int = 400, name: str = 'one.jpg') -> dict:
    """Boxes of 100 x 60 pixels on a grid, far from the border and from each other."""
    corners = [(200 + 3 * i % 1000, 200 + 7 * i % 400) for i in range(count)]
    boxes = [dict(bbox=[x, y, x + 100, y + 60], category=17, category_name='vehicle.car', visibility=4,
                  truncation=0.0, depth=10.0, segmentation=SQUARE) for x, y in corners]
    return dict(img_path=name, width=1600, height=900, cam2img=[[1266, 0, 800], [0, 1266, 450], [0, 0, 1]],
                boxes_2d=boxes)


def test_nothing_goes_wrong_at_level_0():
    exact = image()
    assert LEVELS[0] == Degradation() and degrade_boxes(exact, LEVELS[0], seed=3) == exact['boxes_2d']


def test_jitter_is_a_share_of_the_size():
    exact = image()
    before = copy.deepcopy(exact)
    jittered = degrade_boxes(exact, Degradation(jitter=0.1))
    assert exact == before and len(jittered) == 400
    moved = np.array([box['bbox'] for box in jittered]) - [box['bbox'] for box in exact['boxes_2d']]
    np.testing.assert_allclose(moved.std(0), [10, 6, 10, 6], rtol=0.15)
    np.testing.assert_allclose(moved.mean(0), 0, atol=2)
    assert abs(np.corrcoef(moved.T) - np.eye(4)).max() < 0.2
    assert all('segmentation' not in box for box in jittered) and jittered[0]['depth'] == 10.0


def test_jittered_boxes_stay_in_the_image():
    exact = image(2)
    exact['boxes_2d'] = [dict(exact['boxes_2d'][0], bbox=[0.0, 0.0, 1600.0, 900.0]),
                         dict(exact['boxes_2d'][0], bbox=[1598.0, 0.0, 1600.0, 3.0])] * 50
    boxes = np.array([box['bbox'] for box in degrade_boxes(exact, Degradation(jitter=1.0))])
    assert 20 < len(boxes) < 100  # what is left of less than a pixel is gone
    assert boxes.min() == 0 and boxes[:, 2].max() == 1600 and boxes[:, 3].max() == 900
    assert ((boxes[:, 2:] - boxes[:, :2]) >= 0.999).all()


def test_misses_and_wrong_classes():
    left = degrade_boxes(image(2000), Degradation(miss=0.25))
    assert abs(len(left) / 2000 - 0.75) < 0.03 and all(box['segmentation'] for box in left)
    wrong = [box for box in degrade_boxes(image(2000), Degradation(wrong_class=0.2)) if box['category'] != 17]
    assert abs(len(wrong) / 2000 - 0.2) < 0.03 and len({box['category'] for box in wrong}) >= 8
    assert all(FINE_NAMES[box['category']] == box['category_name'] for box in wrong)


def test_false_positives_are_plausible():
    counts, boxes = [], []
    for number in range(300):
        found = degrade_boxes(image(0, f'{number}.jpg'), Degradation(false_positives=2.0))
        counts.append(len(found))
        boxes += found
    assert 1.8 < np.mean(counts) <= 2.05 and 1.2 < np.std(counts) < 1.6  # Poisson, but for those below the image
    assert len({box['category'] for box in boxes}) == 9
    adults = [box for box in boxes if box['category_name'] == 'human.pedestrian.adult']
    heights = np.array([box['bbox'][3] - box['bbox'][1] for box in adults if box['bbox'][3] < 900])
    depths = np.array([box['depth'] for box in adults if box['bbox'][3] < 900])
    np.testing.assert_allclose(heights, 1266 * 1.75 / depths, atol=0.01)
    assert all(box['depth'] > 0 and box['visibility'] == 0 for box in boxes)


def test_errors_belong_to_the_image_and_grow_with_the_level():
    one, other = image(200), image(200, 'two.jpg')
    assert degrade_boxes(one, LEVELS[3]) == degrade_boxes(copy.deepcopy(one), LEVELS[3])
    assert degrade_boxes(one, LEVELS[3]) != degrade_boxes(other, LEVELS[3])
    assert degrade_boxes(one, LEVELS[3]) != degrade_boxes(one, LEVELS[3], seed=1)
    for box in one['boxes_2d']:
        box['token'] = id(box)
    kept = [{box['token'] for box in degrade_boxes(one, level) if 'token' in box} for level in LEVELS]
    assert kept[3] < kept[2] < kept[1] < kept[0]


def test_iou_by_hand():
    first = np.array([[0, 0, 10, 10], [0, 0, 0, 5.0]])
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [2, 2, 4, 7], [0, 0, 0, 5]])
    np.testing.assert_allclose(box_iou(first, second), [[1, 50 / 150, 0, 0.1, 0], [0] * 5])


def test_quality_by_hand():
    def box(x, y, size, category=17):
        return dict(bbox=[x, y, x + size, y + size], category=category)

    quality = BoxQuality()
    exact = [box(0, 0, 10), box(100, 0, 10), box(200, 0, 10), box(300, 0, 10)]
    # Right; right place, wrong class; IoU 2/3; IoU 1/3 and so no match; out of nowhere.
    quality.add(exact, [box(0, 0, 10), box(100, 0, 10, 2), box(202, 0, 10), box(305, 0, 10), box(400, 0, 10)])
    quality.add([], [box(0, 0, 5)])
    quality.add([box(0, 0, 5)], [])
    assert (quality.exact, quality.given, quality.matched, quality.right_class) == (5, 6, 3, 2)
    assert quality.recall == 3 / 5 and quality.precision == 3 / 6 and quality.class_accuracy == pytest.approx(2 / 3)
    assert quality.mean_iou == pytest.approx((1 + 1 + 80 / 120) / 3)
    # One to one, and by class where boxes lie on each other.
    twice = BoxQuality()
    twice.add([box(0, 0, 10), box(0, 0, 10, 2)], [box(0, 0, 10, 2), box(0, 0, 10), box(0, 0, 10)])
    assert (twice.matched, twice.right_class, twice.precision) == (2, 2, 2 / 3)
    assert math.isnan(BoxQuality().recall) and 'nan' in str(BoxQuality())


def test_levels_fall(hand_infos, tmp_path):
    infos = hand_infos / 'nuscenes_infos_train.json'
    figures = []
    for number, level in enumerate(LEVELS):
        quality = degrade_infos(infos, tmp_path / f'{number}.json', level)
        figures.append([quality.recall, quality.precision, quality.mean_iou, quality.class_accuracy])
    assert (np.diff(figures, axis=0) <= 0).all() and figures[0] == [1, 1, 1, 1] and max(figures[3][:2]) < 0.8
    assert (tmp_path / '0.json').read_bytes() == infos.read_bytes()
    again = degrade_infos(infos, tmp_path / 'again.json', LEVELS[2])
    assert (tmp_path / 'again.json').read_bytes() == (tmp_path / '2.json').read_bytes()
    assert again.recall == figures[2][0]


def test_refusals(hand_infos, tmp_path):
    infos = hand_infos / 'nuscenes_infos_train.json'
    for wrong in (dict(jitter=-0.1), dict(miss=1.5), dict(wrong_class=float('nan')), dict(false_positives=-1)):
        with pytest.raises(ValueError, match=f'{next(iter(wrong))} must be in'):
            Degradation(**wrong)
    content = json.loads(infos.read_text())
    del content['data_list'][1]['images']['CAM_BACK']['boxes_2d']
    (tmp_path / 'infos.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='no 2D boxes for CAM_BACK'):
        degrade_infos(tmp_path / 'infos.json', tmp_path / 'out.json', LEVELS[1])
    assert not (tmp_path / 'out.json').exists()
