"""Small files of a scan: the vertices of its mesh and the alignment of its axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyParseError

_FIELDS = ('x', 'y', 'z', 'red', 'green', 'blue')


def read_vertices(path: Path) -> np.ndarray:
    """Vertices of a mesh in PLY, in the file's order.

    Args:
        path: ``<scan>_vh_clean_2.ply``.

    Returns:
        ``(N, 6)`` float32: x, y, z in metres in the frame of the camera poses, +z up; red, green, blue 0..255.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is damaged, or has no vertex, no colours, or a coordinate that is not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found')
    try:
        vertex = PlyData.read(str(path), known_list_len={'face': {'vertex_indices': 3}})['vertex'].data
    except (PlyParseError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is no complete PLY file ({error}): download it again') from error
    missing = [name for name in _FIELDS if name not in (vertex.dtype.names or ())]
    if missing or not len(vertex):
        what = f'vertices without {", ".join(missing)}' if missing else '0 vertices'
        raise ValueError(f'{path} has {what}: it must be the coloured mesh of a scan')
    points = np.stack([vertex[name].astype(np.float32) for name in _FIELDS], axis=1)
    if not np.isfinite(points).all():
        raise ValueError(f'{path} holds NaN or infinite coordinates: it is damaged, download it again')
    return points


def read_axis_alignment(path: Path) -> np.ndarray:
    """Transform that aligns a scan's walls with the axes: ``(4, 4)`` float64.

    Args:
        path: ``<scan>.txt``. Scans of the test split have none, or one without ``axisAlignment``.

    Returns:
        The matrix; the identity where the file gives none.

    Raises:
        ValueError: The line does not hold 16 finite numbers.
    """
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    for line in lines:
        key, _, value = line.partition('=')
        if key.strip() == 'axisAlignment':
            try:
                matrix = np.array([float(number) for number in value.split()]).reshape(4, 4)
            except ValueError as error:
                raise ValueError(f'{path}: axisAlignment must be 16 numbers, got {value.strip()!r}') from error
            if not np.isfinite(matrix).all():
                raise ValueError(f'{path}: axisAlignment is not finite: {value.strip()!r}')
            return matrix
    return np.eye(4)
