from __future__ import annotations

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmfusion_plugin.apis import load_keyframe
from mmfusion_plugin.apis.browse import browse_dataset
from mmfusion_plugin.visualization.sample_pictures import _project, draw_sample


@pytest.fixture()
def cfg(real_keyframe):
    def dataset(pipeline, test_mode):
        return dict(
            type='NuScenesLidarSegDataset', data_root=str(real_keyframe), ann_file='info.json',
            data_prefix=dict(pts='', img='', pts_semantic_mask=''), pipeline=pipeline, test_mode=test_mode)

    load = [dict(type='LoadLidarSweep'), dict(type='LoadCameraImages'), dict(type='MatchPointsToPixels')]
    small = [dict(type='ResizeImages', size=(400, 240))]
    train = [*load, dict(type='RandomSweepTransform'), *small, dict(type='PackFusionInputs')]
    val = [dict(type='LoadLidarSweep'), dict(type='LoadLidarSeg'), dict(type='PackFusionInputs')]
    return Config(dict(
        default_scope='mmdet3d',
        train_dataloader=dict(dataset=dict(type='RepeatDataset', times=3, dataset=dataset(train, False))),
        val_dataloader=dict(dataset=dataset(val, True))))


@pytest.mark.parametrize('augment', [True, False])
def test_pictures_of_a_dataset(cfg, tmp_path, augment):
    pictures = browse_dataset(cfg, tmp_path, augment=augment)
    assert [path.name for path in pictures] == ['000000_bird_eye_view.png', '000000_cameras.png']
    assert all(min(Image.open(path).size) > 500 for path in pictures)


def test_augmentation_changes_the_view_from_above_only(cfg, tmp_path):
    # No images are loaded, so that both runs draw over the same full-sized ones, by calibration.
    dataset = cfg.train_dataloader.dataset.dataset
    turn = dict(type='RandomSweepTransform', rotation=[90, 90], flip=False, scale_xy=[1, 1], translation_std=0)
    dataset.pipeline = [dataset.pipeline[0], turn, dataset.pipeline[-1]]
    runs = [browse_dataset(cfg, tmp_path / name, augment=augment) for name, augment in (('a', False), ('b', True))]
    (plain, plain_cameras), (turned, turned_cameras) = [
        [np.asarray(Image.open(path).convert('RGB')).astype(int) for path in pictures] for pictures in runs]
    assert (plain != turned).any(axis=2).mean() > 0.01
    # Points at the same place and of the same size; one on an image's edge may fall to the other side of it.
    assert (plain_cameras != turned_cameras).any(axis=2).mean() < 1e-3


def test_calibration_undoes_the_augmentation(cfg, real_keyframe):
    from mmdet3d.registry import DATASETS
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')
    dataset_cfg = cfg.train_dataloader.dataset.dataset
    dataset_cfg.pipeline = [step for step in dataset_cfg.pipeline if step.type != 'ResizeImages']
    packed = DATASETS.build(dataset_cfg)[0]
    meta = packed['data_samples'].metainfo
    points = packed['inputs']['points'].numpy()
    pixels = _project(points, meta, [np.zeros((900, 1600, 3))] * 6)
    expected = packed['inputs']['pixels'].numpy()
    frame = load_keyframe(real_keyframe / 'info.json')
    assert np.abs(points[:, :3] - frame.points()[:, :3]).max() > 0.1
    both = (pixels[..., 0] > -0.75) & (expected[..., 0] > -0.75)
    assert both.sum() > 20000 and ((pixels[..., 0] > -0.75) != (expected[..., 0] > -0.75)).mean() < 1e-4
    np.testing.assert_allclose(pixels[both], expected[both], atol=0.05)


def test_sample_without_cameras_has_one_picture(cfg, tmp_path):
    from mmdet3d.registry import DATASETS
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    packed = dataset[0]
    packed['data_samples'].set_metainfo(dict(img_path=[]))
    assert [path.name for path in draw_sample(packed, dataset.metainfo, tmp_path, 'x')] == ['x_bird_eye_view.png']
