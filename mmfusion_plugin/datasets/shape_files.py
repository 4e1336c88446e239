"""Reading pictures and shapes of objects: whole and sound, or an error that names the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

from ..converters.binvox import read_binvox
from ..converters.cloud_axes import turned
from ..converters.shapenet_files import read_cloud, read_viewpoints
from .damage import CorruptDataError, read_bytes


def read_rendering(path: str) -> np.ndarray:
    """Read a picture with all its channels: ``(H, W, 4)`` uint8 BGRA, or ``(H, W, 3)`` BGR of one without alpha.

    Raises:
        CorruptDataError: The file is missing, damaged, or has neither three nor four channels of 8 bits.
    """
    content = read_bytes(path)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    except cv2.error:  # a header that announces more than OpenCV reads
        image = None
    if image is None:
        raise CorruptDataError(f'{path} is no readable image ({len(content)} bytes): unpack the renderings again')
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4):
        raise CorruptDataError(f'{path} must be RGBA or RGB of 8 bits, got {image.dtype} {image.shape}')
    return image


def read_shape_points(path: str, size: Optional[int] = None, frame: str = 'stored') -> np.ndarray:
    """Read a cloud and turn it.

    Args:
        path: ``.npy`` file of ``(size, 3)``.
        size: Number of points that it must have; any when None.
        frame: See ``converters.cloud_axes``.

    Returns:
        ``(N, 3)`` float32.

    Raises:
        CorruptDataError: The file is missing, damaged, or of another size.
    """
    with _as_damage():
        return turned(read_cloud(Path(path), size), frame)


def read_shape_voxels(path: str, size: int = 32) -> np.ndarray:
    """Read a ``.binvox`` file: ``(size, size, size)`` bool, indexed by x, y, z.

    Raises:
        CorruptDataError: The file is missing, damaged, or of another size.
    """
    with _as_damage():
        occupied = read_binvox(path).occupied
    if occupied.shape != (size, size, size):
        raise CorruptDataError(f'{path} holds {occupied.shape} voxels, not {size}^3')
    return occupied


def read_shape_viewpoints(path: str) -> np.ndarray:
    """Read ``rendering_metadata.txt``: ``(V, 5)`` float64, see ``converters.shapenet_files``.

    Raises:
        CorruptDataError: The file is missing or damaged.
    """
    with _as_damage():
        return read_viewpoints(Path(path))


@contextlib.contextmanager
def _as_damage() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise CorruptDataError(str(error)) from error
