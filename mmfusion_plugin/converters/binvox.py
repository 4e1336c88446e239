"""``.binvox`` files: a cube of voxels as text lines and run lengths.

Layout: the lines ``#binvox 1``, ``dim d d d``, ``translate x y z``, ``scale s`` and ``data``, then pairs of bytes:
value 0 or 1, count 1 to 255. y runs fastest, then z, then x. Source: https://www.patrickmin.com/binvox/binvox.html.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple, Union

import numpy as np

from mmfusion_plugin.files import write_bytes

_LONGEST_RUN = 255
_ROUNDING = 1e-6  # of the cube's side: what float32 points on its faces may be off
_LONGEST_HEADER = 4096  # bytes; the lines of a file need about 100


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """A cube of voxels and where it is.

    Attributes:
        occupied: ``(D, D, D)`` bool, indexed by x, y, z.
        translate: Lowest corner of the cube (x, y, z), in the units of the mesh that was voxelised.
        scale: Length of the cube's sides, in the same units.
    """

    occupied: np.ndarray
    translate: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    def centers(self) -> np.ndarray:
        """``(N, 3)`` float64 centres of the occupied voxels in the mesh's frame and units."""
        share = (np.argwhere(self.occupied) + 0.5) / self.occupied.shape[0]
        return share * self.scale + np.asarray(self.translate)

    def cells(self, points: np.ndarray) -> np.ndarray:
        """Voxels that hold ``points``; those on the faces of the cube, to rounding errors, belong to it.

        Args:
            points: ``(N, 3)`` in the mesh's frame and units.

        Returns:
            ``(N, 3)`` int64 indices; below 0, or of the cube's size and more, for points outside.
        """
        size = self.occupied.shape[0]
        share = (np.asarray(points, dtype=np.float64) - np.asarray(self.translate)) / self.scale
        cells = np.floor(share * size)
        inside = (share > -_ROUNDING) & (share < 1 + _ROUNDING)
        return np.where(inside, cells.clip(0, size - 1), cells).astype(np.int64)


def read_binvox(path: Union[str, os.PathLike]) -> VoxelGrid:
    """Reads a file.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is no binvox file, no cube, breaks off, or has values besides 0 and 1.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found')
    data = path.read_bytes()
    fields, start = _header(path, data)
    (size, *others), (scale,) = _numbers(path, fields, 'dim', 3), _numbers(path, fields, 'scale', 1)
    if others != [size, size] or size < 1 or size != int(size):
        raise ValueError(f'{path}: dim is {" ".join(fields["dim"])}; only cubes are read')
    translate = _numbers(path, fields, 'translate', 3)
    pairs = np.frombuffer(data, np.uint8, offset=start)
    values, counts = pairs[0::2], pairs[1::2]
    total = int(counts.sum(dtype=np.int64))
    if len(pairs) % 2 or total != int(size) ** 3:
        raise ValueError(
            f'{path} holds {total} voxels in {len(pairs)} bytes of data, its header says {int(size)}^3 = '
            f'{int(size) ** 3}: it breaks off or is damaged; download it again'
        )
    if (values > 1).any():
        raise ValueError(f'{path}: value {values.max()} among the voxels, which are 0 or 1; download it again')
    flat = np.repeat(values.astype(bool), counts)
    occupied = np.ascontiguousarray(flat.reshape(3 * (int(size),)).transpose(0, 2, 1))
    return VoxelGrid(occupied, (translate[0], translate[1], translate[2]), scale)


def write_binvox(path: Union[str, os.PathLike], grid: VoxelGrid) -> None:
    """Writes a file, whole or not at all; the same grid gives the same bytes.

    Raises:
        ValueError: The voxels are no cube of bool.
    """
    occupied, size = grid.occupied, grid.occupied.shape[0]
    if occupied.shape != (size, size, size) or occupied.dtype != bool or size < 1:
        raise ValueError(f'{path}: voxels must be a cube of bool, got {occupied.shape} {occupied.dtype}')
    translate = ' '.join(repr(float(value)) for value in grid.translate)
    header = f'#binvox 1\ndim {size} {size} {size}\ntranslate {translate}\nscale {float(grid.scale)!r}\ndata\n'
    write_bytes(path, header.encode('ascii') + _runs(occupied.transpose(0, 2, 1).ravel()))


def _runs(flat: np.ndarray) -> bytes:
    """Pairs (value, count) of equal neighbours; runs of more than 255 are split, the rest last."""
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, len(flat)))
    pieces = -(-lengths // _LONGEST_RUN)
    counts = np.full(int(pieces.sum()), _LONGEST_RUN)
    counts[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * _LONGEST_RUN
    return np.stack([np.repeat(flat[starts], pieces), counts], axis=1).astype(np.uint8).tobytes()


def _header(path: Path, data: bytes) -> Tuple[Dict[str, List[str]], int]:
    """Words of each line by its first, and where the voxels begin."""
    end = data.find(b'\ndata\n', 0, _LONGEST_HEADER)
    if not data.startswith(b'#binvox') or end < 0:
        raise ValueError(f'{path} is no binvox file: it must begin with the line "#binvox 1" and have a line "data"')
    lines = [line.split() for line in data[:end].decode('ascii', 'replace').splitlines()[1:]]
    # Older files have neither of these two lines.
    fields = {'translate': ['0', '0', '0'], 'scale': ['1']}
    return {**fields, **{words[0]: words[1:] for words in lines if words}}, end + len(b'\ndata\n')


def _numbers(path: Path, fields: Dict[str, List[str]], key: str, count: int) -> List[float]:
    try:
        numbers = [float(word) for word in fields[key]]
    except (KeyError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        found = ' '.join(fields[key]) if key in fields else 'missing'
        raise ValueError(f'{path}: line {key!r} must hold {count} number(s), it is {found!r}')
    return numbers
