"""The same promise on the shipped network, data set and metric, with files in nuScenes's format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from nuscenes_hand_world import make_world
from test_ddp_equality import assert_same_training

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.converters.nuscenes_taxonomy import FINE_TO_CLASS

CONFIG = """
_base_ = '{base}'
custom_imports = dict(imports=['mmfusion_plugin', 'toy_training'])
# Batch statistics stay out. So does Lovasz, whose loss of two batches is not the mean of their losses.
model = dict(
    backbone=dict(norm_cfg=dict(type='ToyRowAffine')),
    decode_head=dict(loss_lovasz=dict(loss_weight=0.0)))
pipeline = [
    dict(type='LoadLidarSweep', load_dim=5, use_dim=4), dict(type='LoadLidarSeg'),
    dict(type='RandomSweepTransform', rotation=[0, 360], flip=True, scale_xy=[0.95, 1.05], translation_std=0.1),
    dict(type='PointsInVolume', lower=[-50, -50, -4], upper=[50, 50, 3]), dict(type='PackFusionInputs')]
train_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False, dataset=dict(data_root='{root}/', pipeline=pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(data_root='{root}/'))
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(data_root='{root}/'))
train_cfg = dict(max_epochs=1, val_interval=9)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
default_hooks = dict(checkpoint=dict(interval=1, save_best=None))
"""


@pytest.fixture
def config(tmp_path: Path, repo_root: Path) -> Path:
    """Six training sweeps and three validation sweeps of equally many labelled points, all inside the volume.

    A loss is a mean over points: only then is the mean of two processes' losses that of the doubled batch.
    """
    root = make_world(tmp_path / 'nuscenes')
    known = np.flatnonzero(np.array(FINE_TO_CLASS) < 16).astype(np.uint8)
    for path in root.glob('lidarseg/*/*.bin'):
        labels = np.fromfile(path, np.uint8)
        known[labels % len(known)].tofile(path)
    for path in root.glob('s*s/LIDAR_TOP/*.bin'):
        sweep = np.fromfile(path, np.float32).reshape(-1, 5)
        sweep[:, :3] *= 0.5
        sweep.tofile(path)
    create_nuscenes_infos(root, root, 'v1.0-trainval')
    (base,) = repo_root.glob('configs/point_voxel/point-voxel-tiny_*.py')
    path = tmp_path / 'comparable.py'
    path.write_text(CONFIG.format(base=base, root=root))
    return path


@pytest.mark.slow
def test_training_and_testing_on_two_processes(config: Path, run_script, single_process, tmp_path: Path) -> None:
    runner = single_process(config, tmp_path / 'one', **{'train_dataloader.batch_size': 2})
    runner.train()
    run_script('dist_train.sh', config, 2, '--work-dir', tmp_path / 'two')
    assert_same_training(*(torch.load(tmp_path / run / 'epoch_1.pth', weights_only=True) for run in ('one', 'two')))

    expected = runner.test()
    run_script('dist_test.sh', config, tmp_path / 'one/epoch_1.pth', 2, '--work-dir', tmp_path / 'tested')
    (report,) = tmp_path.glob('tested/*/*.json')
    metrics = json.loads(report.read_text())
    assert len(runner.test_dataloader.dataset) == 3  # odd: one process gets a padded sample
    compared = [key for key in expected if key in metrics]
    assert 'miou' in compared
    for key in compared:
        np.testing.assert_equal(metrics[key], float(expected[key]), err_msg=key)
