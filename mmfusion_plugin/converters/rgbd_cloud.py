"""One cloud out of the depth images of a recording."""

from __future__ import annotations

from typing import Iterable

import numpy as np
from tqdm import tqdm

from .rgbd_recording import RecordedFrame, Recording

_CELLS_KEPT_BACK = 2_000_000
"""Candidates that may gather before they are thinned, about 120 MB."""


def fuse_frames(
    recording: Recording, frames: Iterable[RecordedFrame], voxel: float = 0.02, max_depth: float = 4.0
) -> np.ndarray:
    """Unproject all frames and keep one measured point in each cell of a grid: the one seen from nearest.

    The noise of depth cameras grows with the distance, so that the nearest measurement is the best one.

    Args:
        recording: What the frames belong to.
        frames: Which of its frames.
        voxel: Edge of a cell, metres.
        max_depth: Metres beyond which pixels are left out.

    Returns:
        ``(N, 6)`` float32: x, y, z in metres, +z up; red, green, blue 0..255. Cells are in the order of x, y, z.

    Raises:
        ValueError: An option is not positive, an image is damaged, or no pixel is measured within ``max_depth``.
    """
    if not (voxel > 0 and max_depth > 0):
        raise ValueError(f'voxel {voxel} and max_depth {max_depth} must be positive numbers of metres')
    kept, gathered, waiting = _empty(), [], 0
    for frame in tqdm(list(frames), desc='Unprojecting', unit='frame', leave=False):
        xyz, colours, depth = recording.unprojected(frame, max_depth)
        gathered.append(_nearest_of_cells(np.concatenate([xyz, colours, depth[:, None]], axis=1), voxel))
        waiting += len(gathered[-1])
        # As much again as there is: each point is then sorted a few times only, however many frames there are.
        if waiting > max(len(kept), _CELLS_KEPT_BACK):
            kept, gathered, waiting = _nearest_of_cells(np.concatenate([kept, *gathered]), voxel), [], 0
    kept = _nearest_of_cells(np.concatenate([kept, *gathered]), voxel)
    if not len(kept):
        raise ValueError(
            f'no pixel is measured within {max_depth} m: is depth_shift={recording.depth_shift:g} right (units a '
            'metre; 1000 for millimetres), and max_depth?'
        )
    return kept[:, :6].astype(np.float32)


def _empty() -> np.ndarray:
    return np.zeros((0, 7))


def _nearest_of_cells(rows: np.ndarray, voxel: float) -> np.ndarray:
    """Of ``(N, 7)`` x, y, z, red, green, blue, depth: for each cell the row of least depth, the first among equals."""
    if not len(rows):
        return _empty()
    cells = np.floor(rows[:, :3] / voxel).astype(np.int64)
    cells -= cells.min(axis=0)
    key = np.ravel_multi_index(tuple(cells.T), tuple(cells.max(axis=0) + 1))
    order = np.lexsort((rows[:, 6], key))
    first = np.concatenate([[True], np.diff(key[order]) > 0])
    return rows[order[first]]
