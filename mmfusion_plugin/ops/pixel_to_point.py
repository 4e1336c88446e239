"""A masked image becomes a point cloud (SIM-Net, arXiv 2506.18683): each foreground pixel is a point.

The paper says that non-black pixels become points (x, y, z) with z the mean of red, green and blue, 1024 of them, and
that (x, y, z, r, g, b) is a variant. Frame, units, and what happens to small and empty masks are ours.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np
import torch

from .farthest_points import farthest_point_sample

FOREGROUNDS = ('mask', 'nonblack')
NORMALISATIONS = ('image', 'none', 'unit_sphere')
Z_MODES = ('mean_rgb', 'zero', 'gray', 'depth')
FEATURES = ('xyz', 'xyzrgb')
SAMPLINGS = ('random', 'fps')
CANDIDATES_PER_POINT = 8
"""Farthest points are chosen among so many random pixels for each point wanted: a photograph has millions."""
_ROWS_AT_ONCE = 16
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue: ITU-R BT.601, as OpenCV


class PixelPoints(NamedTuple):
    """A cloud and where it comes from.

    Attributes:
        points: ``(N, 3)`` or ``(N, 6)`` float32.
        pixels: ``(N, 2)`` int64, column and row of each point; -1 in the cloud of an empty foreground.
        num_foreground: Number of foreground pixels of the image.
    """

    points: np.ndarray
    pixels: np.ndarray
    num_foreground: int


def pixel_to_point(
    image: np.ndarray,
    mask: Optional[np.ndarray] = None,
    depth_map: Optional[np.ndarray] = None,
    num_points: Optional[int] = 1024,
    foreground: str = 'mask',
    normalize: str = 'image',
    z_mode: str = 'mean_rgb',
    features: str = 'xyz',
    sampling: str = 'random',
    channel_order: str = 'bgr',
    rng: Optional[np.random.Generator] = None,
) -> PixelPoints:
    """Turn foreground pixels into points.

    Args:
        image: ``(H, W, 3)`` uint8.
        mask: ``(H, W)``, uint8 or bool, 0 is background.
        depth_map: ``(H, W)`` floating, for ``z_mode='depth'``; any unit, finite in the foreground.
        num_points: N. A foreground of fewer pixels gives each once and then some again; an empty one gives a cloud of
            zeros. None: each pixel once, in the order of rows.
        foreground: ``'mask'``: pixels of the mask. ``'nonblack'``: of those (of all without a mask) the ones with any
            channel above 0, as the paper says.
        normalize: ``'image'``: x to the right and y up from the middle of the image in halves of its longer side, hence
            within -1..1; z within 0..1. ``'unit_sphere'``: the same moved to its centroid and divided by the largest
            norm (one pixel: zeros). ``'none'``: x column, y row (down), z 0..255 or as in the depth map.
        z_mode: ``'mean_rgb'``, ``'zero'``, ``'gray'`` (ITU-R BT.601) or ``'depth'``. Unless ``normalize`` is
            ``'none'``, colours are divided by 255, and depths move so that those of the cloud span 0..1 (all 0 where
            they are equal).
        features: ``'xyz'``, or ``'xyzrgb'`` with red, green and blue in 0..1 behind.
        sampling: ``'random'`` without replacement, or ``'fps'``: farthest points by x, y, z in the frame of ``'image'``
            among 8 N random pixels.
        channel_order: Of ``image``, ``'bgr'`` or ``'rgb'``.
        rng: Source of randomness; None takes one that starts from 0.

    Raises:
        TypeError: ``image`` or ``mask`` holds other numbers.
        ValueError: A shape or an option is wrong, mask or depth map is missing, or a depth is not finite.
    """
    _check_options(num_points, foreground, normalize, z_mode, features, sampling, channel_order)
    _check_arrays(image, mask, depth_map, foreground, z_mode)
    is_foreground = _foreground(image, mask, foreground)
    counts = np.count_nonzero(is_foreground, axis=1)
    total = int(counts.sum())
    if not total:
        size = num_points or 0
        width = 6 if features == 'xyzrgb' else 3
        return PixelPoints(np.zeros((size, width), np.float32), np.full((size, 2), -1, np.int64), 0)
    rng = np.random.default_rng(0) if rng is None else rng
    rows, columns = _locate(is_foreground, counts, _draw(total, num_points, sampling, rng))
    # Colours are looked up for the chosen pixels alone; a photograph has too many to convert them all.
    rgb = image[rows, columns][:, ::-1] if channel_order == 'bgr' else image[rows, columns]
    z = _third_coordinate(rgb, z_mode) if z_mode != 'depth' else _depth_of(depth_map, rows, columns)
    chosen = slice(None)
    if sampling == 'fps' and num_points is not None and num_points < len(rows):
        places = _coordinates(columns, rows, z, image.shape, 'image', z_mode)
        chosen = farthest_point_sample(torch.from_numpy(places), num_points).numpy()
    rows, columns, rgb, z = rows[chosen], columns[chosen], rgb[chosen], z[chosen]
    points = _coordinates(columns, rows, z, image.shape, normalize, z_mode)
    if features == 'xyzrgb':
        points = np.concatenate([points, rgb / np.float32(255)], axis=1)
    return PixelPoints(points, np.stack([columns, rows], axis=1), total)


def _foreground(image: np.ndarray, mask: Optional[np.ndarray], foreground: str) -> np.ndarray:
    """(H, W) bool."""
    if foreground == 'mask':
        return mask != 0
    out = np.empty(image.shape[:2], bool)
    # Runs of bytes are combined first, and few rows at a time: several times faster than image.any(axis=2).
    for start in range(0, len(image), _ROWS_AT_ONCE):
        part = image[start : start + _ROWS_AT_ONCE].reshape(-1)
        brightest = part[:-2] | part[1:-1]
        brightest |= part[2:]
        out[start : start + _ROWS_AT_ONCE] = (brightest[::3] != 0).reshape(-1, image.shape[1])
    return out if mask is None else out & (mask != 0)


def _draw(total: int, num_points: Optional[int], sampling: str, rng: np.random.Generator) -> np.ndarray:
    """Numbers of foreground pixels, counted row by row."""
    if num_points is None:
        return np.arange(total)
    wanted = num_points * (CANDIDATES_PER_POINT if sampling == 'fps' else 1)
    if total > wanted:
        return rng.choice(total, wanted, replace=False)
    if total >= num_points:
        return rng.permutation(total)
    return np.concatenate([rng.permutation(total), rng.integers(total, size=num_points - total)])


def _locate(is_foreground: np.ndarray, counts: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of foreground pixels by their numbers; only rows that hold one are searched."""
    ends = counts.cumsum()
    rows = np.searchsorted(ends, numbers, side='right')
    searched, place = np.unique(rows, return_inverse=True)
    found = np.flatnonzero(is_foreground[searched])
    start = counts[searched].cumsum() - counts[searched]
    within = numbers - (ends - counts)[rows]
    return rows, found[start[place] + within] % is_foreground.shape[1]


def _third_coordinate(rgb: np.ndarray, z_mode: str) -> np.ndarray:
    """(N,) 0..255."""
    if z_mode == 'gray':
        return rgb @ _GRAY
    return rgb.mean(axis=1) if z_mode == 'mean_rgb' else np.zeros(len(rgb))


def _depth_of(depth_map: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    depth = depth_map[rows, columns].astype(np.float64)
    if not np.isfinite(depth).all():
        raise ValueError(
            'depth_map holds NaN or infinity in the foreground: fill it, or take those pixels off the mask'
        )
    return depth


def _coordinates(
    columns: np.ndarray, rows: np.ndarray, z: np.ndarray, shape: tuple[int, ...], normalize: str, z_mode: str
) -> np.ndarray:
    """(N, 3) float32."""
    if normalize == 'none':
        return np.stack([columns, rows, z], axis=1).astype(np.float32)
    z = _span_one(z) if z_mode == 'depth' else z / 255
    height, width = shape[:2]
    # Pixel centres are integers: the image reaches from -0.5 to width - 0.5.
    x, y = 2 * columns + 1 - width, height - 1 - 2 * rows
    points = np.stack([x / max(height, width), y / max(height, width), z], axis=1)
    if normalize == 'unit_sphere':
        points -= points.mean(axis=0)
        radius = np.linalg.norm(points, axis=1).max()
        points = points / radius if radius > 1e-9 else np.zeros_like(points)  # one pixel lies in its own centroid
    return points.astype(np.float32)


def _span_one(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _check_options(num_points: Optional[int], *options: str) -> None:
    if num_points is not None and (not isinstance(num_points, (int, np.integer)) or num_points < 1):
        raise ValueError(f'num_points must be a positive whole number, or None for all, got {num_points!r}')
    names = ('foreground', 'normalize', 'z_mode', 'features', 'sampling', 'channel_order')
    known = (FOREGROUNDS, NORMALISATIONS, Z_MODES, FEATURES, SAMPLINGS, ('bgr', 'rgb'))
    for name, value, values in zip(names, options, known):
        if value not in values:
            raise ValueError(f'{name} must be one of {", ".join(values)}, got {value!r}')


def _check_arrays(
    image: np.ndarray, mask: Optional[np.ndarray], depth_map: Optional[np.ndarray], foreground: str, z_mode: str
) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'image must be (H, W, 3) with a pixel at least, got {image.shape}')
    if image.dtype != np.uint8:
        raise TypeError(f'image must be uint8, got {image.dtype}: make points before colours are normalised')
    if foreground == 'mask' and mask is None:
        raise ValueError("foreground='mask' needs a mask: load one, or take foreground='nonblack'")
    if z_mode == 'depth' and depth_map is None:
        raise ValueError("z_mode='depth' needs a depth_map, (H, W) floating")
    for name, values in (('mask', mask), ('depth_map', depth_map)):
        if values is not None and values.shape != image.shape[:2]:
            raise ValueError(f'{name} must be {image.shape[:2]} as its image, got {values.shape}')
    if mask is not None and mask.dtype not in (np.uint8, np.bool_):
        raise TypeError(f'mask must be uint8 or bool, got {mask.dtype}')
