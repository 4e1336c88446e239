from __future__ import annotations

import json

import numpy as np
import pytest

from mmfusion_plugin.apis import load_keyframe
from mmfusion_plugin.apis.box_agreement import agreement_table, box_agreement, points_in_box, summarise
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES


def test_real_keyframe_is_read_whole(real_keyframe):
    frame = load_keyframe(real_keyframe / 'info.json')
    assert frame.points().shape == (34688, 5) and frame.boxes.shape == (69, 7)
    assert list(frame.images) == [
        'CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT']
    assert all(image.shape == (900, 1600, 3) for image in frame.load_images())
    # One box is of a category that is neither detected nor segmented.
    assert (frame.box_classes == 16).sum() == 1
    assert frame.truth() is None and frame.name == 'ca9a282c9e77460f8360f564131a8af5'


def test_real_boxes_hold_the_points_that_nuscenes_counted(real_keyframe):
    """A centre taken for the ground, or a yaw turned the other way, misses hundreds of points."""
    info = json.loads((real_keyframe / 'info.json').read_text())['data_list'][0]
    official = np.array([box['num_lidar_pts'] for box in info['instances']])
    frame = load_keyframe(real_keyframe / 'info.json')
    xyz = frame.points()[:, :3]
    counted = np.array([points_in_box(xyz, box).sum() for box in frame.boxes])
    assert (counted == official).mean() > 0.85
    assert np.abs(counted - official).sum() < 0.03 * official.sum()
    lowered = frame.boxes - [0, 0, 1, 0, 0, 0, 0] * frame.boxes[:, 5:6] / 2
    wrong = np.array([points_in_box(xyz, box).sum() for box in lowered])
    assert np.abs(wrong - official).sum() > 10 * np.abs(counted - official).sum()


def test_real_points_fall_on_the_images(real_keyframe):
    frame = load_keyframe(real_keyframe / 'info.json')
    pixels = frame.match(frame.points()[:, :3])
    seen = pixels[..., 0] > -0.75
    # The six cameras cover the full circle, but not the ground around the car.
    assert 0.5 < seen.any(axis=1).mean() < 0.95 and (seen.sum(axis=0) > 2000).all()
    assert pixels[seen].min() >= -0.5 and (pixels[seen] < [1599.5, 899.5]).all()


def test_points_in_box_equals_mmcv():
    import torch
    from mmcv.ops import points_in_boxes_cpu

    rng = np.random.default_rng(0)
    xyz = rng.uniform(-6, 6, (4000, 3)).astype(np.float32)
    boxes = np.column_stack([rng.uniform(-3, 3, (20, 3)), rng.uniform(1, 6, (20, 3)), rng.uniform(-4, 4, 20)])
    # mmcv's boxes stand on their z.
    standing = torch.from_numpy(boxes.astype(np.float32) - np.float32([0, 0, 1, 0, 0, 0, 0]) * boxes[:, 5:6] / 2)
    reference = points_in_boxes_cpu(torch.from_numpy(xyz)[None], standing.float()[None])[0].numpy().astype(bool)
    ours = np.stack([points_in_box(xyz, box) for box in boxes], axis=1)
    assert ours.sum() > 1000 and (ours != reference).mean() < 1e-4


def test_agreement_counts_by_hand():
    xyz = np.array([[0, 0, 0], [0.4, 0, 0], [0, 0.4, 0], [10, 0, 0], [10.2, 0, 0], [50, 0, 0]])
    labels = np.array([3, 3, 0, 3, 6, 3])
    boxes = np.array([[0, 0, 0, 1, 1, 1, 0], [10, 0, 0, 1, 1, 1, 0.2], [30, 0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1, 0]])
    shares = box_agreement(xyz, labels, boxes, np.array([3, 6, 6, 16]), CLASSES)
    assert [(one.name, one.points, one.right) for one in shares] == [
        ('car', 3, 2), ('pedestrian', 2, 1), ('pedestrian', 0, 0)]
    summary = summarise(shares)
    assert summary['classes']['pedestrian'] == dict(
        boxes=2, boxes_without_points=1, points=2, right=1, share=0.5)
    assert summary['total']['share'] == pytest.approx(3 / 5) and summary['boxes'][2]['share'] is None
    json.loads(json.dumps(summary, allow_nan=False))
    assert '66.7 %' in agreement_table(shares) and '60.0 %' in agreement_table(shares)


def test_files_are_found_in_nuscenes_folders_too(tmp_path):
    (tmp_path / 'samples/LIDAR_TOP').mkdir(parents=True)
    np.zeros((7, 5), np.float32).tofile(tmp_path / 'samples/LIDAR_TOP/sweep.pcd.bin')
    entry = dict(lidar_points=dict(lidar_path='sweep.pcd.bin', num_pts_feats=5), token='t', instances=[])
    info = tmp_path / 'infos.json'
    info.write_text(json.dumps(dict(metainfo=dict(info_version='1.1', version='v1.0-mini'), data_list=[entry])))
    frame = load_keyframe(info)
    assert frame.points().shape == (7, 5) and frame.boxes.shape == (0, 7) and not frame.images
    with pytest.raises(ValueError, match='has 1 entries, counted from 0, and none of index 1'):
        load_keyframe(info, 1)
    for broken in (dict(token='t'), dict(entry, instances=[dict(bbox_label_3d=1)])):
        info.write_text(json.dumps(dict(metainfo={}, data_list=[broken])))
        with pytest.raises(ValueError, match='infos.json: entry 0 is not complete'):
            load_keyframe(info)
    info.write_text(json.dumps(dict(metainfo={}, data_list=[entry])))
    (tmp_path / 'samples/LIDAR_TOP/sweep.pcd.bin').unlink()
    with pytest.raises(FileNotFoundError, match='sweep.pcd.bin is neither in'):
        load_keyframe(info)
