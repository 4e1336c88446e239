"""Shrinking a frame's images, and the camera matrices of what is left.

Averaging (colour) keeps to the house's rule: pixel ``u`` of the small image is the place ``(u + 0.5) s - 0.5`` of the
large one. Picking the nearest pixel (depth, labels) does not: at an even ratio ``s`` it takes pixel ``s u + s / 2``,
half a pixel beside that place, and two pixels (``s = 4``) beside ``s u``, which dividing the matrix by ``s`` assumes.
A camera matrix is therefore computed for each of the two.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

Size = tuple[int, int]


def nearest_indices(source: int, target: int) -> np.ndarray:
    """Positions in ``source`` pixels that ``target`` pixels take: ``(target,)`` int64, as Pillow's NEAREST."""
    return np.floor((np.arange(target) + 0.5) * (source / target)).astype(np.int64)


def shrink_nearest(image: np.ndarray, size: Size) -> np.ndarray:
    """Pick pixels of ``(H, W)`` values, so that none is invented.

    Args:
        image: ``(H, W)``.
        size: Width and height wanted.

    Returns:
        ``(height, width)`` of the same dtype.
    """
    rows, columns = nearest_indices(image.shape[0], size[1]), nearest_indices(image.shape[1], size[0])
    return image[rows[:, None], columns]


def shrink_colour(image: Image.Image, size: Size) -> Image.Image:
    """Average the pixels of an image that Pillow has opened.

    A JPEG is decoded at the smallest of its own scales that still has twice the pixels wanted.

    Args:
        image: Of any mode.
        size: Width and height wanted.

    Returns:
        RGB image.

    Raises:
        OSError: The image data are damaged.
    """
    draft = image.draft('RGB', (2 * size[0], 2 * size[1]))
    box = draft[1] if draft else None  # the picture's part of the draft, which ends at whole blocks
    return image.convert('RGB').resize(size, Image.Resampling.BILINEAR, box=box)


def averaged_intrinsic(intrinsic: np.ndarray, source: Size, target: Size) -> np.ndarray:
    """Camera matrix of an image shrunk by averaging.

    Args:
        intrinsic: ``(3, 3)`` or larger, of the source; pixel centres at integers.
        source: Width and height that it belongs to.
        target: Width and height after shrinking.

    Returns:
        ``(3, 3)`` float64.
    """
    offsets = [0.5 * source[axis] / target[axis] - 0.5 for axis in range(2)]
    return _rescaled(intrinsic, source, target, offsets)


def nearest_intrinsic(intrinsic: np.ndarray, source: Size, target: Size) -> np.ndarray:
    """Camera matrix of an image shrunk by :func:`shrink_nearest`; arguments and result as above.

    Exact where the ratio is a whole number (640 x 480 to 160 x 120); otherwise right on average over the pixels, and
    never further off than one pixel of the source.
    """
    offsets = []
    for large, small in zip(source, target):
        offsets.append(float(np.mean(nearest_indices(large, small) - np.arange(small) * (large / small))))
    return _rescaled(intrinsic, source, target, offsets)


def _rescaled(intrinsic: np.ndarray, source: Size, target: Size, offsets: list[float]) -> np.ndarray:
    """Camera matrix for pixels ``u`` that lie at ``s u + offset`` of the source."""
    matrix = np.array(intrinsic[:3, :3], np.float64)
    for axis in range(2):
        matrix[axis, 2] -= offsets[axis]
        matrix[axis] *= target[axis] / source[axis]
    return matrix
