"""Reading sweeps and their labels, the same for training, pictures and predictions: whole and sound, or an error."""

from __future__ import annotations

import os
from typing import Any, Optional, Union

import numpy as np

from ..converters.nuscenes_taxonomy import FINE_NAMES
from .damage import CorruptDataError, read_bytes

PathLike = Union[str, 'os.PathLike[str]']


def read_sweep(path: PathLike, num_features: int = 5, backend_args: Optional[dict[str, Any]] = None) -> np.ndarray:
    """Read a sweep of little-endian float32 values.

    Args:
        path: The file.
        num_features: Values per point; nuScenes: x, y, z in metres in the LiDAR frame, intensity 0..255, ring.
        backend_args: File backend of mmengine.

    Returns:
        ``(N, num_features)`` float32, N >= 1, writable.

    Raises:
        CorruptDataError: The file is missing, empty, truncated, or holds NaN or infinity.
    """
    content, point_bytes = read_bytes(path, backend_args), 4 * num_features
    if not content or len(content) % point_bytes:
        raise CorruptDataError(
            f'{path} has {len(content)} bytes, not a positive multiple of {point_bytes}: it is truncated, '
            'unpack it again'
        )
    points = np.frombuffer(content, dtype='<f4').reshape(-1, num_features).astype(np.float32)
    if not np.isfinite(points).all():
        raise CorruptDataError(f'{path} holds NaN or infinite values: it is damaged, unpack it again')
    return points


def read_labels(
    path: PathLike, count: int, backend_args: Optional[dict[str, Any]] = None, sweep: PathLike = 'its sweep'
) -> np.ndarray:
    """Read the fine categories of a sweep's points.

    Args:
        path: The file.
        count: Number of points in the sweep.
        backend_args: File backend of mmengine.
        sweep: Name of the sweep for messages.

    Returns:
        ``(count,)`` uint8, positions in ``nuscenes_taxonomy.FINE_NAMES`` (0..31).

    Raises:
        CorruptDataError: The file is missing, does not hold one label per point, or holds an undefined category.
    """
    labels = np.frombuffer(read_bytes(path, backend_args), dtype=np.uint8)
    if len(labels) != count:
        raise CorruptDataError(
            f'{path} has {len(labels)} labels for the {count} points of {sweep}: one of the two is truncated or '
            'belongs to another, unpack both again'
        )
    if labels.max(initial=0) >= len(FINE_NAMES):
        raise CorruptDataError(
            f'{path} holds category {labels.max()}, but only 0..{len(FINE_NAMES) - 1} are defined: it is damaged, '
            'unpack it again'
        )
    return labels
