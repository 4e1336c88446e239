"""Datasets of the hand-written world, and samples on the way through a pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from nuscenes_hand_world import make_world
from scannet_hand_world import make_world as make_rooms

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.converters.nuscenes_taxonomy import CAMERAS
from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.converters.scannet_frames import ScanOptions
from mmfusion_plugin.datasets import NuScenesLidarSegDataset

PREFIX = {
    'pts': 'samples/LIDAR_TOP',
    'pts_semantic_mask': 'lidarseg/v1.0-trainval',
    **{camera: f'samples/{camera}' for camera in CAMERAS},
}


@pytest.fixture(autouse=True)
def _mmdet3d_scope() -> None:
    init_default_scope('mmdet3d')
    np.random.seed(0)


@pytest.fixture(scope='session')
def converted_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root with data and info files; not to be changed."""
    root = make_world(tmp_path_factory.mktemp('world'))
    create_nuscenes_infos(root, root, max_sweeps=0)
    return root


@pytest.fixture(scope='session')
def scannet_rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted rooms of ``scannet_hand_world``, images of 32 x 24 pixels; not to be changed."""
    folder = tmp_path_factory.mktemp('scannet')
    create_scannet_infos(make_rooms(folder / 'raw'), folder / 'out', ScanOptions((32, 24)))
    return folder / 'out'


@pytest.fixture
def world(tmp_path: Path, converted_world: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(converted_world, tmp_path / 'world'))


@pytest.fixture(scope='session')
def build(converted_world: Path) -> Callable[..., NuScenesLidarSegDataset]:
    """Build the training dataset (or another) with some arguments replaced."""

    def make(**changes: object) -> NuScenesLidarSegDataset:
        arguments = dict(data_root=str(converted_world), ann_file='nuscenes_infos_train.json', data_prefix=dict(PREFIX))
        return NuScenesLidarSegDataset(**{**arguments, **changes})

    return make
