"""The training pipeline of the configs with images, as a whole, and that testing needs no image."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmfusion_plugin.engine import launch

CONFIG = 'configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'


@pytest.fixture(scope='module')
def cfg(repo_root: Path) -> Config:
    cfg = Config.fromfile(repo_root / CONFIG)
    init_default_scope(cfg.default_scope)
    return cfg


def training_set(cfg: Config, root: Path, num_views: int) -> object:
    pipeline = [dict(step, num_views=num_views) if step['type'] == 'LoadCameraImages' else step
                for step in cfg.train_dataloader.dataset.pipeline]
    return DATASETS.build(dict(cfg.train_dataloader.dataset, data_root=f'{root}/', pipeline=pipeline))


def move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], 1) @ matrix.T
    return homogeneous[:, : points.shape[1]]


@pytest.mark.parametrize('num_views', [1, 3, 6])
def test_matches_and_boxes_follow_every_step(cfg, tiny_nuscenes_infos, num_views):
    """Each point, taken back to where it was recorded and projected anew, meets the pixel that was carried along."""
    dataset = training_set(cfg, tiny_nuscenes_infos, num_views)
    cameras, boxes_seen, points_seen = set(), 0, 0
    for turn in range(6):
        np.random.seed(turn)
        info = dataset.get_data_info(turn % len(dataset))
        packed = dataset[turn % len(dataset)]
        inputs, sample = packed['inputs'], packed['data_samples']
        width, height = cfg.image_size
        assert inputs['imgs'].shape == (num_views, 3, height, width) and len(set(sample.cam_names)) == num_views
        cameras.update(sample.cam_names)
        recorded = move(inputs['points'][:, :3].double().numpy(), np.linalg.inv(sample.lidar_aug_matrix))
        for view, name in enumerate(sample.cam_names):
            depth_pixels = move(recorded, sample.lidar2cam[view]) @ sample.cam2img[view].T
            expected = move(depth_pixels[:, :2] / depth_pixels[:, 2:], sample.img_aug_matrix[view])
            carried = inputs['pixels'][:, view].numpy()
            seen = carried[:, 0] > -0.75
            np.testing.assert_allclose(carried[seen], expected[seen], atol=2e-2)
            inside = (depth_pixels[:, 2] > 0.1) & (np.abs(expected - [width / 2, height / 2]) < [width / 2 - 1,
                                                                                                 height / 2 - 1]).all(1)
            assert seen[inside].all(), 'a point in the image has its pixel'
            points_seen += int(seen.sum())
            boxes = sample.gt_boxes_2d.select(sample.gt_boxes_2d.view == view)
            stored = np.array([box['bbox'] for box in info['images'][name]['boxes_2d']]).reshape(-1, 2)
            corners = move(stored, sample.img_aug_matrix[view]).reshape(-1, 2, 2)
            moved = np.concatenate([corners.min(1), corners.max(1)], 1)
            # Half a stored pixel is what a side on the image's border moves by.
            np.testing.assert_allclose(boxes.xyxy.numpy(), moved, atol=0.5 * height / 900 + 1e-3)
            boxes_seen += len(boxes)
    assert len(cameras) > num_views or num_views == 6, 'cameras are drawn at random'
    assert boxes_seen > 0 and points_seen > 1000


def test_testing_opens_no_image(cfg, tiny_nuscenes_infos, tmp_path):
    """With all images deleted the model is validated and tested as before; training names the file that is missing."""
    root = tmp_path / 'nuscenes'
    shutil.copytree(tiny_nuscenes_infos, root, ignore=shutil.ignore_patterns('CAM_*', '*.jpg'))
    assert not list(root.rglob('*.jpg'))
    scores = []
    for number, folder in enumerate((root, tiny_nuscenes_infos)):
        local = Config.fromfile(cfg.filename)
        for split in ('val', 'test'):
            loader = {'dataset.data_root': f'{folder}/', 'num_workers': 0, 'persistent_workers': False}
            local.merge_from_dict({f'{split}_dataloader.{key}': value for key, value in loader.items()})
        local.default_hooks.checkpoint.save_best = None
        local.update(work_dir=str(tmp_path / f'work{number}'), launcher='none', log_level='WARNING')
        local.experiment_name = f'{tmp_path.name}_{number}'
        runner = launch.build_runner(local)
        scores.append([runner.val(), runner.test()])
    np.testing.assert_equal(scores[0], scores[1])
    dataset = training_set(cfg, root, 1)
    with pytest.raises(Exception, match=r'CAM_\w+.*\.jpg'):
        dataset[0]


CONFIGS = sorted(Path(__file__).resolve().parents[2].glob('configs/2d*/*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_only_training_loads_images(path):
    cfg = Config.fromfile(path)
    assert 'LoadCameraImages' in str(cfg.train_dataloader)
    for loader in (cfg.val_dataloader, cfg.test_dataloader, cfg.tta_pipeline):
        assert 'LoadCameraImages' not in str(loader)
