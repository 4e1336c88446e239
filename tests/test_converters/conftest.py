"""Converted copies of the hand-written world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nuscenes_hand_world import make_world

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos


@pytest.fixture(scope='session')
def hand_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of the trainval version; not to be changed."""
    return make_world(tmp_path_factory.mktemp('hand_world'))


@pytest.fixture(scope='session')
def hand_infos(hand_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of its info files; not to be changed."""
    out = tmp_path_factory.mktemp('hand_infos')
    create_nuscenes_infos(hand_world, out)
    return out


@pytest.fixture(scope='session')
def hand_samples(hand_infos: Path) -> list[dict]:
    """All entries of both splits."""
    files = ('nuscenes_infos_train.json', 'nuscenes_infos_val.json')
    return [entry for name in files for entry in json.loads((hand_infos / name).read_text())['data_list']]


@pytest.fixture(scope='session')
def devkit(hand_world: Path):
    """The devkit's own view of the hand-written world."""
    nuscenes = pytest.importorskip('nuscenes', reason='needs nuscenes-devkit')
    return nuscenes.NuScenes('v1.0-trainval', str(hand_world), verbose=False)
