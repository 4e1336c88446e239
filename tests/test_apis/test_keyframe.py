from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmfusion_plugin.apis import keyframe, load_keyframe
from mmfusion_plugin.apis.box_agreement import agreement_table, box_agreement, points_in_box, summarise
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES
from mmfusion_plugin.datasets.damage import CorruptDataError


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
    picture = dict(img_path='a.jpg', lidar2cam=np.eye(4).tolist())
    for broken, key in (
        (dict(token='t'), 'lidar_points.lidar_path'),
        (dict(entry, lidar_points={}), 'lidar_points.lidar_path'),
        (dict(entry, instances=[dict(bbox_3d=[0.0] * 7, bbox_label_3d=0), dict(bbox_label_3d=1)]),
         'instances[1].bbox_3d'),
        (dict(entry, instances=[{}]), 'instances[0].bbox_3d, instances[0].bbox_label_3d'),
        (dict(entry, images=dict(CAM_FRONT=picture)), 'images.CAM_FRONT.cam2img'),
    ):
        info.write_text(json.dumps(dict(metainfo={}, data_list=[broken])))
        text = f'infos.json: entry 0 is not complete, it lacks {key}: generate'
        with pytest.raises(ValueError, match=re.escape(text)):
            load_keyframe(info)
    info.write_text(json.dumps(dict(metainfo={}, data_list=[entry])))
    (tmp_path / 'samples/LIDAR_TOP/sweep.pcd.bin').unlink()
    with pytest.raises(FileNotFoundError, match='sweep.pcd.bin is neither in'):
        load_keyframe(info)


@pytest.fixture()
def one_image(tmp_path):
    """Info file of a sweep and one camera, whose JPEG is red above and blue below."""
    np.zeros((7, 5), np.float32).tofile(tmp_path / 'sweep.pcd.bin')
    image = np.zeros((90, 160, 3), np.uint8)
    image[:45, :, 2], image[45:, :, 0] = 255, 255
    cv2.imwrite(str(tmp_path / 'front.jpg'), image)
    camera = dict(img_path='front.jpg', cam2img=np.eye(3).tolist(), lidar2cam=np.eye(4).tolist())
    entry = dict(lidar_points=dict(lidar_path='sweep.pcd.bin'), images=dict(CAM_FRONT=camera, CAM_BACK={}))
    (tmp_path / 'infos.json').write_text(json.dumps(dict(metainfo={}, data_list=[entry])))
    return tmp_path / 'infos.json'


def test_images_are_rgb_and_a_truncated_one_is_named(one_image):
    frame = load_keyframe(one_image)
    (image,) = frame.load_images()
    assert list(frame.images) == ['CAM_FRONT'] and image.dtype == np.uint8 and image.flags.c_contiguous
    assert np.abs(image[20, 80].astype(int) - [255, 0, 0]).max() < 5
    assert np.abs(image[70, 80].astype(int) - [0, 0, 255]).max() < 5
    path = one_image.parent / 'front.jpg'
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 100])
    assert cv2.imread(str(path)) is not None, 'OpenCV says nothing'
    with pytest.raises(CorruptDataError, match='front.jpg ends without the JPEG end marker'):
        frame.load_images()
    path.write_bytes(whole[:2] + bytes(100) + whole[-2:])
    with pytest.raises(CorruptDataError, match='front.jpg is not a readable image'):
        frame.load_images()
    path.unlink()
    with pytest.raises(CorruptDataError, match='front.jpg is missing'):
        frame.load_images()


def test_truncated_real_image_is_named(real_keyframe, tmp_path):
    frame = load_keyframe(real_keyframe / 'info.json')
    front = frame.images['CAM_FRONT']
    content = Path(front['img_path']).read_bytes()
    front['img_path'] = str(tmp_path / 'half.jpg')
    (tmp_path / 'half.jpg').write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptDataError, match='half.jpg ends without the JPEG end marker'):
        frame.load_images()


def test_own_faults_are_not_taken_for_those_of_the_file(one_image, monkeypatch):
    monkeypatch.setattr(keyframe, '_locate', lambda *_: {}['ours'])
    with pytest.raises(KeyError, match='ours'):
        load_keyframe(one_image)
