"""Files of voxels: what is read back is what was written, and the mesh lies where the voxels are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from mmfusion_plugin.apis.voxel_files import write_voxels
from mmfusion_plugin.converters.binvox import read_binvox


def test_files_are_read_back(tmp_path: Path) -> None:
    """By numpy, by our reader and trimesh's; the mesh lies where the voxels of the binvox file are."""
    occupied = np.zeros((8, 8, 8), bool)
    occupied[1:3, 2:7, 4] = occupied[2, 2, 1:5] = True
    files = write_voxels(tmp_path / 'a.b', occupied)
    assert [file.name for file in files] == ['a.b.npy', 'a.b.binvox', 'a.b.obj']
    np.testing.assert_array_equal(np.load(files[0]), occupied)
    grid = read_binvox(files[1])
    np.testing.assert_array_equal(grid.occupied, occupied)
    with open(files[1], 'rb') as file:
        np.testing.assert_array_equal(trimesh.exchange.binvox.load_binvox(file).matrix, occupied)
    mesh = trimesh.load(files[2], process=False)
    assert mesh.is_watertight and mesh.volume == pytest.approx(occupied.sum() / 8**3)
    np.testing.assert_allclose(mesh.bounds, [grid.centers().min(0) - 1 / 16, grid.centers().max(0) + 1 / 16], atol=1e-7)


def test_nothing_is_a_mesh_without_faces(tmp_path: Path) -> None:
    files = write_voxels(tmp_path / 'none', np.zeros((4, 4, 4), bool))
    assert files[2].read_text() == '# 0 corners, 0 faces of voxels\n' and not read_binvox(files[1]).occupied.any()
