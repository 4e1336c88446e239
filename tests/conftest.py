"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Waiting threads that spin for long slow a busy machine down (see tools/misc/launch.sh); read when torch loads OpenMP.
os.environ.setdefault('GOMP_SPINCOUNT', '30000')
import torch  # noqa: E402

pytest_plugins = ['fixtures_nuscenes']

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """The checkout that is being tested."""
    return ROOT


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Each test starts from the same random state, so that a failure can be repeated alone."""
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def real_keyframe() -> Path:
    """Folder of one real nuScenes keyframe (``info.json``, a sweep, six images); not shipped with the project."""
    base = Path(os.environ.get('MMFUSION_SHARED_DATA', ROOT.parent / 'shared' / 'data'))
    folder = base / 'nuscenes_keyframe'
    if not (folder / 'info.json').is_file():
        pytest.skip(f'real keyframe not found in {folder}: set MMFUSION_SHARED_DATA to the folder that holds it')
    return folder
