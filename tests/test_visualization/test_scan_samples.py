"""Pictures of packed scans and of their frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.structures import PixelData

from mmfusion_plugin.visualization import draw_sample, view_pictures

META = dict(classes=('wall', 'floor'), palette=[[255, 0, 0], [0, 0, 255]])


def packed(points: bool = True, images: bool = True) -> dict:
    """Ten points on the floor, and two views: the first all red, the second all green."""
    sample = Det3DDataSample(metainfo=dict(scan_id='scene0000_00', frames=[4, -1]))
    inputs = {}
    if points:
        inputs['points'] = torch.rand(10, 3)
        sample.gt_pts_seg = PointData(pts_semantic_mask=torch.arange(10) % 3)
    if images:
        inputs['imgs'] = torch.zeros(2, 3, 24, 32, dtype=torch.uint8)
        inputs['imgs'][0, 2] = inputs['imgs'][1, 1] = 255  # BGR
        sample.gt_sem_seg = PixelData(sem_seg=torch.ones(2, 24, 32, dtype=torch.long))
    return dict(inputs=inputs, data_samples=sample)


@pytest.mark.parametrize('points, images, names', [
    (True, True, ['a_scan.png', 'a_views.png']), (True, False, ['a_scan.png']), (False, True, ['a_views.png']),
])  # fmt: skip
def test_what_a_sample_has_is_drawn(tmp_path, points, images, names):
    predicted = np.zeros(10, int) if points else None
    pixels = np.zeros((2, 24, 32), int) if images else None
    drawn = draw_sample(packed(points, images), META, tmp_path, 'a', predicted, pixels)
    assert [path.name for path in drawn] == names and all(path.is_file() for path in drawn)


def test_views_show_image_truth_and_prediction_in_their_colours(tmp_path):
    images = np.zeros((2, 24, 32, 3), np.uint8)
    images[0, ..., 0] = images[1, ..., 1] = 255
    truth, predicted = np.ones((2, 24, 32), int), np.full((2, 24, 32), 2)
    picture = imread(view_pictures(tmp_path / 'v.png', images, *META.values(), truth, predicted))[..., :3]
    share = {name: float((np.abs(picture - colour).max(-1) < 0.02).mean()) for name, colour in dict(
        red=(1, 0, 0), green=(0, 1, 0), blue=(0, 0, 1), grey=(200 / 255, 205 / 255, 210 / 255)).items()}
    assert share['red'] == pytest.approx(share['green'], rel=0.1) and share['red'] > 0.08
    assert share['blue'] == pytest.approx(2 * share['red'], rel=0.1)  # both views are floor
    assert share['grey'] == pytest.approx(2 * share['red'], rel=0.1)  # predicted: neither


def test_many_views_are_thinned_and_odd_ones_refused(tmp_path):
    many = np.zeros((30, 24, 32, 3), np.uint8)
    few = imread(view_pictures(tmp_path / 'few.png', many[:12], *META.values()))
    assert imread(view_pictures(tmp_path / 'many.png', many, *META.values())).shape == few.shape
    with pytest.raises(ValueError, match='no view'):
        view_pictures(tmp_path / 'none.png', many[:0], *META.values())
    with pytest.raises(ValueError, match='truth'):
        view_pictures(tmp_path / 'odd.png', many, *META.values(), truth=np.zeros((2, 24, 32), int))
