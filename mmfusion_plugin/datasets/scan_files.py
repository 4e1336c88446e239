"""Reading the converted files of a scan: whole and sound, or an error that names the file."""

from __future__ import annotations

import io
import zipfile
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np

from ..converters.scannet_taxonomy import NYU40_TO_CLASS
from .damage import CorruptDataError, read_bytes

BackendArgs = Optional[dict[str, Any]]
_LAST_ID = len(NYU40_TO_CLASS) - 1
_AGAIN = 'convert the scan again by tools/create_data.py scannet'


class Overlap(NamedTuple):
    """Which frames of a scan see which of its points.

    Attributes:
        base: ``(K,)`` int64 rows of the scan's points, rising.
        seen: ``(F, K)`` bool.
    """

    base: np.ndarray
    seen: np.ndarray


def read_scan_points(path: str, count: Optional[int] = None, backend_args: BackendArgs = None) -> np.ndarray:
    """Read the vertices of a scan.

    Args:
        path: Little-endian float32 x, y, z (metres) and red, green, blue (0..255) of each.
        count: Number of vertices that the info file names.
        backend_args: File backend of mmengine.

    Returns:
        ``(N, 6)`` float32, N >= 1, writable.

    Raises:
        CorruptDataError: The file is missing, has another size, or holds NaN or infinity.
    """
    content = read_bytes(path, backend_args)
    expected = len(content) // 24 if count is None else count
    if not content or len(content) != 24 * expected:
        raise CorruptDataError(f'{path} has {len(content)} bytes, not 24 for each of {expected} vertices: {_AGAIN}')
    points = np.frombuffer(content, '<f4').reshape(-1, 6).astype(np.float32)
    if not np.isfinite(points).all():
        raise CorruptDataError(f'{path} holds NaN or infinite values: {_AGAIN}')
    return points


def read_scan_labels(path: str, count: int, backend_args: BackendArgs = None) -> np.ndarray:
    """Read the NYU40 id of each vertex, ``(count,)`` int64 in 0..40.

    Raises:
        CorruptDataError: The file is missing, does not hold one label per vertex, or holds an undefined one.
    """
    content = read_bytes(path, backend_args)
    if len(content) != 8 * count:
        raise CorruptDataError(f'{path} has {len(content)} bytes, not 8 for each of {count} vertices: {_AGAIN}')
    labels = np.frombuffer(content, '<i8').astype(np.int64)
    _check_ids(path, labels)
    return labels


def read_colour(path: str, size: tuple[int, int], backend_args: BackendArgs = None) -> np.ndarray:
    """Read a colour image, ``(H, W, 3)`` uint8 BGR; ``size`` is its width and height.

    Raises:
        CorruptDataError: The file is missing, damaged or of another size.
    """
    return _decode(path, size, cv2.IMREAD_COLOR, np.uint8, backend_args)


def read_depth(path: str, size: tuple[int, int], depth_shift: float, backend_args: BackendArgs = None) -> np.ndarray:
    """Read a depth image of ``depth_shift`` units a metre: ``(H, W)`` float32 metres, 0 where nothing was measured.

    Raises:
        CorruptDataError: The file is missing, damaged or of another size.
    """
    image = _decode(path, size, cv2.IMREAD_UNCHANGED, np.uint16, backend_args)
    return image.astype(np.float32) / np.float32(depth_shift)


def read_pixel_labels(path: str, size: tuple[int, int], backend_args: BackendArgs = None) -> np.ndarray:
    """Read the NYU40 id of each pixel, ``(H, W)`` uint8 in 0..40.

    Raises:
        CorruptDataError: The file is missing, damaged, of another size, or holds an undefined label.
    """
    labels = _decode(path, size, cv2.IMREAD_UNCHANGED, np.uint8, backend_args)
    _check_ids(path, labels)
    return labels


def read_poses(path: str, count: int, backend_args: BackendArgs = None) -> np.ndarray:
    """Read the camera-to-world poses of a scan's frames, ``(count, 4, 4)`` float64, metres.

    Raises:
        CorruptDataError: The file is missing, damaged, does not hold ``count`` poses, or holds one that is not finite.
    """
    try:
        poses = np.load(io.BytesIO(read_bytes(path, backend_args)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CorruptDataError(f'{path} is no complete array file ({error}): {_AGAIN}') from error
    if poses.shape != (count, 4, 4) or not np.isfinite(poses).all():
        raise CorruptDataError(f'{path} must hold {count} finite poses, got an array of {poses.shape}: {_AGAIN}')
    return poses.astype(np.float64)


def read_overlap(path: str, count: int, points: int, backend_args: BackendArgs = None) -> Overlap:
    """Read which of ``count`` frames sees which of a scan's ``points``.

    Raises:
        CorruptDataError: The file is missing, damaged, or belongs to other frames or points.
    """
    try:
        with np.load(io.BytesIO(read_bytes(path, backend_args)), allow_pickle=False) as arrays:
            base, packed = arrays['base'].astype(np.int64), arrays['seen']
        seen = np.unpackbits(packed, axis=1, count=len(base)).astype(bool)
    except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise CorruptDataError(f'{path} is no complete overlap file ({error}): {_AGAIN}') from error
    if len(seen) != count or base.min(initial=0) < 0 or base.max(initial=-1) >= points:
        raise CorruptDataError(
            f'{path} is about {len(seen)} frames and vertices up to {base.max(initial=-1)}, but the scan has {count} '
            f'frames and {points} vertices: {_AGAIN}'
        )
    return Overlap(base, seen)


def _decode(path: str, size: tuple[int, int], flag: int, dtype: type, backend_args: BackendArgs) -> np.ndarray:
    content = read_bytes(path, backend_args)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flag) if content else None
    if image is None:
        raise CorruptDataError(f'{path} is no readable image ({len(content)} bytes): {_AGAIN}')
    shape = (size[1], size[0], 3) if flag == cv2.IMREAD_COLOR else (size[1], size[0])
    if image.shape != shape or image.dtype != dtype:
        held, wanted = f'{image.dtype} {image.shape}', f'{np.dtype(dtype)} {shape}'
        raise CorruptDataError(f'{path} holds {held}, not {wanted}: {_AGAIN}')
    return image


def _check_ids(path: str, labels: np.ndarray) -> None:
    if labels.min(initial=0) < 0 or labels.max(initial=0) > _LAST_ID:
        raise CorruptDataError(
            f'{path} holds labels {labels.min()} to {labels.max()}, NYU40 ids are 0 to {_LAST_ID}: {_AGAIN}'
        )
