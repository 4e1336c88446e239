"""Files of voxels: what is read back is what was written, and the mesh is the closed surface of the voxels."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import trimesh

from mmfusion_plugin.apis.voxel_files import voxel_mesh, write_voxels
from mmfusion_plugin.converters.binvox import read_binvox


def exposed(occupied: np.ndarray) -> int:
    """Faces between full and free, one voxel after the other."""
    full = set(map(tuple, np.argwhere(occupied)))
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, step)) == 1]
    return sum((x + a, y + b, z + c) not in full for x, y, z in full for a, b, c in steps)


@pytest.mark.parametrize('share', [0.02, 0.5, 1.0])
def test_mesh_is_closed_and_holds_the_voxels(share: float) -> None:
    occupied = np.random.default_rng(0).random((6, 6, 6)) < share
    corners, faces = voxel_mesh(occupied)
    assert len(faces) == exposed(occupied) and len(np.unique(corners, axis=0)) == len(corners)
    edges = Counter((a, b) for face in faces.tolist() for a, b in zip(face, face[1:] + face[:1]))
    assert all(edges[b, a] == count for (a, b), count in edges.items())
    # By the divergence theorem, from the faces' middles and normals: inside is where the voxels are.
    one, two, three, four = (corners[faces[:, number]] for number in range(4))
    volume = ((one + three) / 2 * np.cross(two - one, four - one)).sum() / 3
    assert volume == pytest.approx(occupied.sum() / 6**3)
    if share < 0.1:
        centres = (np.argwhere(occupied) + 0.5) / 6 - 0.5
        np.testing.assert_allclose(corners.mean(0), centres.mean(0), atol=0.05)


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
