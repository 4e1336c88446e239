"""``.binvox`` files against trimesh's reader and writer and against a layout packed by hand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from trimesh.exchange.binvox import export_binvox, load_binvox
from trimesh.voxel import VoxelGrid as TrimeshGrid

from mmfusion_plugin.converters.binvox import VoxelGrid, read_binvox, write_binvox


def voxels(kind: str) -> np.ndarray:
    """(32, 32, 32) bool, different along each axis."""
    if kind == 'noise':
        return np.random.default_rng(0).random((32, 32, 32)) < 0.3
    filled = np.full((32, 32, 32), kind == 'full')
    if kind == 'shape':
        filled[2:30, 5:9, 11:12] = True
        filled[0, 0, 31] = filled[31, 31, 31] = True
    return filled


@pytest.mark.parametrize('kind', ['noise', 'shape', 'full', 'empty'])
def test_trimesh_reads_what_is_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / 'model.binvox'
    write_binvox(path, VoxelGrid(voxels(kind), (-0.5, 0.25, 1 / 3), 1.7))
    with open(path, 'rb') as file:
        found = load_binvox(file)
    np.testing.assert_array_equal(found.matrix, voxels(kind))
    np.testing.assert_allclose(found.translation, (-0.5, 0.25, 1 / 3), rtol=1e-15)
    np.testing.assert_allclose(found.scale * 31, 1.7)  # trimesh takes the first and last centres for the ends


@pytest.mark.parametrize('kind', ['noise', 'shape', 'full', 'empty'])
def test_reads_what_trimesh_and_itself_wrote(tmp_path: Path, kind: str) -> None:
    path = tmp_path / 'model.binvox'
    path.write_bytes(export_binvox(TrimeshGrid(voxels(kind))))
    np.testing.assert_array_equal(read_binvox(path).occupied, voxels(kind))
    write_binvox(path, VoxelGrid(voxels(kind), (-0.5, 0.25, 1 / 3), 1.7))
    grid = read_binvox(path)
    np.testing.assert_array_equal(grid.occupied, voxels(kind))
    assert (grid.translate, grid.scale) == ((-0.5, 0.25, 1 / 3), 1.7)
    first = path.read_bytes()
    write_binvox(path, grid)
    assert path.read_bytes() == first


def test_layout_by_hand(tmp_path: Path) -> None:
    """y runs fastest, then z, then x; runs over 255 are split."""
    occupied = np.zeros((8, 8, 8), dtype=bool)
    occupied[5, 1, 2] = True
    write_binvox(tmp_path / 'a.binvox', VoxelGrid(occupied, scale=2.0))
    place = 5 * 64 + 2 * 8 + 1
    runs = bytes([0, 255, 0, place - 255, 1, 1, 0, 512 - place - 1])
    header = b'#binvox 1\ndim 8 8 8\ntranslate 0.0 0.0 0.0\nscale 2.0\ndata\n'
    assert (tmp_path / 'a.binvox').read_bytes() == header + runs
    (tmp_path / 'a.binvox').write_bytes(b'#binvox 1\ndim 8 8 8\ndata\n' + runs)
    grid = read_binvox(tmp_path / 'a.binvox')
    assert grid.occupied.sum() == 1 and grid.occupied[5, 1, 2] and grid.translate == (0, 0, 0) and grid.scale == 1


def test_places_of_voxels() -> None:
    occupied = np.zeros((4, 4, 4), dtype=bool)
    occupied[0, 3, 1] = True
    grid = VoxelGrid(occupied, (-1.0, 0.0, 10.0), 2.0)
    np.testing.assert_allclose(grid.centers(), [[-0.75, 1.75, 10.75]])
    points = [[-1.0, 0.0, 10 - 1e-9], [0.999, 2.0, 12 + 1e-9], [-1.1, 2.1, 11.49]]
    np.testing.assert_array_equal(grid.cells(points), [[0, 0, 0], [3, 3, 3], [-1, 4, 2]])


@pytest.mark.parametrize(
    'header, data, message',
    [
        (b'solid model\n', b'', 'is no binvox file'),
        (b'#binvox 1\ndim 2 2 2\n', bytes([0, 8]), 'have a line "data"'),
        (b'#binvox 1\ndata\n', bytes([0, 8]), "line 'dim' must hold 3 number.s., it is 'missing'"),
        (b'#binvox 1\ndim 2 2 x\ndata\n', bytes([0, 8]), "it is '2 2 x'"),
        (b'#binvox 1\ndim 2 4 1\ndata\n', bytes([0, 8]), 'dim is 2 4 1; only cubes are read'),
        (b'#binvox 1\ndim 2 2 2\nscale nan\ndata\n', bytes([0, 8]), "line 'scale'"),
        (b'#binvox 1\ndim 2 2 2\ndata\n', bytes([0, 7]), 'holds 7 voxels in 2 bytes of data, its header says 2.3 = 8'),
        (b'#binvox 1\ndim 2 2 2\ndata\n', bytes([0, 8, 1]), 'breaks off'),
        (b'#binvox 1\ndim 2 2 2\ndata\n', bytes([7, 8]), 'value 7 among the voxels'),
    ],
)
def test_damaged_files(tmp_path: Path, header: bytes, data: bytes, message: str) -> None:
    path = tmp_path / 'model.binvox'
    path.write_bytes(header + data)
    with pytest.raises(ValueError, match=message) as caught:
        read_binvox(path)
    assert str(path) in str(caught.value)


def test_what_cannot_be_written_or_found(tmp_path: Path) -> None:
    for wrong in (np.zeros((2, 2, 3), dtype=bool), np.zeros((2, 2, 2))):
        with pytest.raises(ValueError, match='must be a cube of bool'):
            write_binvox(tmp_path / 'a.binvox', VoxelGrid(wrong))
    with pytest.raises(FileNotFoundError, match='a.binvox not found'):
        read_binvox(tmp_path / 'a.binvox')


def test_trimesh_agrees_on_bytes(tmp_path: Path) -> None:
    """Behind the header, where a run has at most 255 voxels."""
    write_binvox(tmp_path / 'a.binvox', VoxelGrid(voxels('noise')))
    written = (tmp_path / 'a.binvox').read_bytes().split(b'data\n', 1)[1]
    with io.BytesIO(export_binvox(TrimeshGrid(voxels('noise')))) as stream:
        assert stream.read().split(b'data\n', 1)[1] == written
