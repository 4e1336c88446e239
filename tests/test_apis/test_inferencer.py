from __future__ import annotations

import json
import os
import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmfusion_plugin.apis import LidarSegInferencer, load_keyframe
from mmfusion_plugin.apis.segment_frame import segment_frame
from mmfusion_plugin.compat import CheckpointRefusedError
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES, FINE_NAMES

from .stub_segmentor import CONFIG, HIGH, LOW


@pytest.fixture()
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG)
    return path


@pytest.fixture()
def checkpoint(tmp_path):
    """A height threshold of -1 m."""
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=dict(threshold=torch.tensor([-1.0])), meta={}), path)
    return path


@pytest.fixture()
def sweep():
    return np.random.default_rng(0).normal(0, 2, (500, 5)).astype(np.float32)


def by_height(points, threshold):
    return np.where(points[:, 2] > threshold, HIGH, LOW)


def test_array_path_tensor_and_keyframe_agree(config, checkpoint, sweep, tmp_path):
    sweep.tofile(tmp_path / 'sweep.pcd.bin')
    entry = dict(lidar_points=dict(lidar_path='sweep.pcd.bin', num_pts_feats=5), token='t', instances=[])
    info = dict(metainfo=dict(info_version='1.1', version='v1.0-mini'), data_list=[entry])
    (tmp_path / 'info.json').write_text(json.dumps(info))
    inferencer = LidarSegInferencer(config, checkpoint, 'cpu')
    forms = [sweep, sweep[:, :4], torch.from_numpy(sweep), str(tmp_path / 'sweep.pcd.bin'),
             tmp_path / 'sweep.pcd.bin', load_keyframe(tmp_path / 'info.json')]
    for form in forms:
        result = inferencer(form)
        assert result.labels.dtype == np.int64 and result.logits.shape == (16, 500)
        np.testing.assert_array_equal(result.labels, by_height(sweep, -1))


def test_without_a_checkpoint_the_initial_weights_are_used(config, sweep):
    np.testing.assert_array_equal(LidarSegInferencer(config, device='cpu')(sweep).labels, by_height(sweep, 0))


def test_config_object_is_not_changed(config, sweep):
    cfg = Config.fromfile(config)
    before = cfg.pretty_text
    LidarSegInferencer(cfg, device='cpu', tta=True)
    assert cfg.pretty_text == before


def test_classes_and_colours_come_from_the_dataset(config):
    inferencer = LidarSegInferencer(config, device='cpu')
    assert tuple(inferencer.classes) == CLASSES and len(inferencer.palette) == 16


def test_tta_keeps_every_point_in_order(config, checkpoint, sweep):
    # A turn about the vertical axis does not change heights, so the votes agree.
    result = LidarSegInferencer(config, checkpoint, 'cpu', tta=True)(sweep)
    np.testing.assert_array_equal(result.labels, by_height(sweep, -1))


@pytest.mark.parametrize('tta_model', ['PointVoteTTAModel', 'Seg3DTTAModel'])
def test_logits_of_several_votes_explain_the_labels(config, sweep, tta_model):
    cfg = Config.fromfile(config)
    cfg.model.axis = 0  # a turn changes x, so the votes differ
    cfg.tta_model.type = tta_model
    once, merged = (LidarSegInferencer(cfg, device='cpu', tta=tta)(sweep) for tta in (False, True))
    assert (merged.labels != once.labels).mean() > 0.05
    if tta_model == 'PointVoteTTAModel':
        assert merged.logits.shape == (16, 500)
        np.testing.assert_array_equal(merged.logits.argmax(axis=0), merged.labels)
    else:
        assert merged.logits is None  # it keeps the first vote's, which say something else


def test_loader_of_mmdet3d_with_its_scope(config, sweep, tmp_path):
    cfg = Config.fromfile(config)
    loader = dict(type='mmdet3d.LoadPointsFromFile', coord_type='LIDAR', load_dim=5, use_dim=4)
    cfg.test_dataloader.dataset.pipeline[0] = loader
    sweep.tofile(tmp_path / 'sweep.pcd.bin')
    for form in (sweep, tmp_path / 'sweep.pcd.bin'):
        result = LidarSegInferencer(cfg, device='cpu')(form)
        np.testing.assert_array_equal(result.labels, by_height(sweep, 0))


def test_network_of_some_classes_keeps_the_official_ids_and_boxes(config, tmp_path):
    sweep = np.random.default_rng(0).normal(0, 2, (500, 5)).astype(np.float32)
    sweep.tofile(tmp_path / 'sweep.pcd.bin')
    fine = np.where(sweep[:, 2] > 0, FINE_NAMES.index('static.vegetation'), FINE_NAMES.index('vehicle.car'))
    fine[:50] = FINE_NAMES.index('flat.sidewalk')
    fine.astype(np.uint8).tofile(tmp_path / 'labels.bin')
    # Detection classes 0 car, 7 pedestrian: the second is none of the network's.
    boxes = [dict(bbox_3d=[0, 0, -5, 40, 40, 10, 0], bbox_label_3d=label) for label in (0, 7)]
    entry = dict(lidar_points=dict(lidar_path='sweep.pcd.bin', num_pts_feats=5), token='t', instances=boxes,
                 pts_semantic_mask_path='labels.bin')
    info = dict(metainfo=dict(info_version='1.1', version='v1.0-mini'), data_list=[entry])
    (tmp_path / 'info.json').write_text(json.dumps(info))
    cfg = Config.fromfile(config)
    cfg.model.answers = (0, 1)
    cfg.test_dataloader.dataset.metainfo = dict(classes=['car', 'vegetation'])
    summary = segment_frame(cfg, None, tmp_path / 'info.json', tmp_path / 'out', device='cpu')
    low = sweep[:, 2] <= 0
    written = np.fromfile(tmp_path / 'out/sweep_lidarseg.bin', np.uint8)
    np.testing.assert_array_equal(written, np.where(low, 4, 16))
    assert summary['boxes_without_class'] == 1
    share = summary['box_agreement']['classes']['car']
    assert share['points'] == share['right'] > 200
    # Sidewalk is none of the network's classes: ignored, and not counted as wrong.
    assert summary['acc'] == 1 and summary['miou'] == 1


@pytest.mark.parametrize(
    'points, words',
    [
        (np.zeros((0, 4), np.float32), 'N >= 1'),
        (np.zeros((5, 2), np.float32), 'C >= 3'),
        (np.zeros(5, np.float32), 'shape'),
        (np.zeros((5, 3), np.float32), 'which have 3'),
        (np.full((5, 4), np.nan, np.float32), 'NaN'),
    ],
)
def test_bad_points_are_refused(config, points, words):
    with pytest.raises(ValueError, match=words):
        LidarSegInferencer(config, device='cpu')(points)


def test_model_that_forgets_points_is_an_error(config, sweep):
    cfg = Config.fromfile(config)
    cfg.model.forget = 3
    with pytest.raises(ValueError, match='497.* of 500 points'):
        LidarSegInferencer(cfg, device='cpu')(sweep)


def test_checkpoint_that_runs_code_is_refused(config, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, (f'touch {tmp_path / "ran"}',)

    torch.save(dict(state_dict=Bomb()), tmp_path / 'bomb.pth')
    with pytest.raises(CheckpointRefusedError, match=f'{os.system.__module__}.system'):
        LidarSegInferencer(config, tmp_path / 'bomb.pth', 'cpu')
    assert not (tmp_path / 'ran').exists()


def test_checkpoint_of_another_model_is_an_error(config, tmp_path):
    torch.save(dict(state_dict=dict(other=torch.zeros(1))), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth cannot be used with .*config.py: .*threshold'):
        LidarSegInferencer(config, tmp_path / 'other.pth', 'cpu')


FAULTS = {
    'no config': lambda at: (at / 'config.py').unlink(),
    'a slip': lambda at: (at / 'config.py').write_text('a = b'),
    'no test data': lambda at: (at / 'config.py').write_text("model = dict(type='HeightSegmentor')"),
    'an unknown step': lambda at: (at / 'config.py').write_text(CONFIG.replace('LoadLidarSeg', 'NoSuchStep')),
    'no checkpoint': lambda at: (at / 'weights.pth').unlink(),
    'no weights': lambda at: (at / 'weights.pth').write_bytes(b'hello'),
    'a torn checkpoint': lambda at: os.truncate(at / 'weights.pth', 300),
    "another's weights": lambda at: torch.save(dict(state_dict=dict(other=torch.zeros(1))), at / 'weights.pth'),
    'no info file': lambda at: (at / 'info.json').unlink(),
    'a torn info file': lambda at: os.truncate(at / 'info.json', 30),
    'an entry without sweep': lambda at: (at / 'info.json').write_text('{"metainfo": {}, "data_list": [{}]}'),
    'no entry': lambda at: (at / 'info.json').write_text('{"metainfo": {}, "data_list": []}'),
    'no sweep': lambda at: (at / 'sweep.pcd.bin').unlink(),
    'a torn sweep': lambda at: os.truncate(at / 'sweep.pcd.bin', 33),
    'a torn image': lambda at: (at / 'front.jpg').write_bytes(b'hello'),
}


@pytest.mark.parametrize('fault', [None, *FAULTS])
def test_command_ends_with_one_line_of_explanation(
    config, checkpoint, sweep, tmp_path, repo_root, monkeypatch, capsys, fault
):
    sweep.tofile(tmp_path / 'sweep.pcd.bin')
    Image.new('RGB', (1600, 900), 'green').save(tmp_path / 'front.jpg')
    front = dict(img_path='front.jpg', cam2img=np.eye(3).tolist(), lidar2cam=np.eye(4).tolist())
    entry = dict(lidar_points=dict(lidar_path='sweep.pcd.bin', num_pts_feats=5), images=dict(CAM_FRONT=front))
    (tmp_path / 'info.json').write_text(json.dumps(dict(metainfo={}, data_list=[entry])))
    if fault:
        FAULTS[fault](tmp_path)
    words = [config, checkpoint, '--info', tmp_path / 'info.json', '--out', tmp_path / 'out', '--device', 'cpu']
    monkeypatch.setattr(sys, 'argv', ['segment_frame.py', *map(str, words)])
    status = runpy.run_path(str(repo_root / 'tools/segment_frame.py'))['main']()
    lines = capsys.readouterr().err.splitlines()
    if fault is None:
        assert status == 0 and not lines
    else:
        assert status == 1 and len(lines) == 1 and lines[0].startswith('error: '), lines


def test_real_keyframe_end_to_end(config, checkpoint, real_keyframe, tmp_path, capsys):
    out = tmp_path / 'out'
    summary = segment_frame(config, checkpoint, real_keyframe / 'info.json', out, device='cpu')
    frame = load_keyframe(real_keyframe / 'info.json')
    labels = np.load(out / 'labels.npy')
    np.testing.assert_array_equal(labels, by_height(frame.points(), -1))
    assert len(labels) == 34688 == summary['points'] == sum(summary['points_per_class'].values())
    name = frame.lidar_path.name.split('.')[0]
    np.testing.assert_array_equal(np.fromfile(out / f'{name}_lidarseg.bin', np.uint8), labels + 1)
    assert sorted(path.name for path in out.iterdir()) == sorted([
        'bird_eye_view.png', 'cameras.png', 'labels.npy', f'{name}_lidarseg.bin', 'segmentation.json'])
    agreement = json.loads((out / 'segmentation.json').read_text())['box_agreement']
    # This model knows no object, so that no box is right.
    assert agreement['total']['boxes'] == 68 and agreement['total']['share'] == 0
    assert summary['boxes_without_class'] == 1
    printed = capsys.readouterr().out
    assert '34,688 of 34,688 points' in printed and 'pedestrian' in printed
