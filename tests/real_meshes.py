"""Three meshes that were not made for this project: a chair, a CAD part, a head. They are not shipped with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: By file: category in which it is put, and where its top and its front are.
MESHES = {
    'chair_model.obj': ('chair', '+y', '+x'),
    'fandisk.obj': ('loudspeaker', '+y', '+x'),
    'suzanne.ply': ('lamp', '+y', '+z'),
}


def mesh_folder() -> Path:
    """Folder of the meshes; the test is skipped where it is missing."""
    default = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    base = Path(os.environ.get('MMFUSION_SHARED_DATA', default))
    if not all((base / 'meshes' / name).is_file() for name in MESHES):
        pytest.skip(f'no meshes in {base}: set MMFUSION_SHARED_DATA to the folder that holds them')
    return base / 'meshes'
