"""Where the pixels of a network's input lie in the photograph, whatever a pipeline does in between."""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

import cv2
import numpy as np

from mmfusion_plugin.datasets.damage import CorruptDataError

_GRID = 64  # pixels along each side that the placement is fitted to
_MOST_RESIDUAL = 1.0  # pixels of the photograph: nearest-neighbour interpolation rounds to whole ones
_MOST_CUT = 0.25  # pixels of the network's input by which the photograph may reach over it


def find_placement(transform: Callable[..., Dict[str, Any]], shape: Tuple[int, int], name: str) -> np.ndarray:
    """Find the affine map from pixels of the network's input to those of the photograph.

    The coordinates of the photograph's pixels are sent through the pipeline in the place of depths, which
    ``TransformImageAndMask`` moves with the image. Resizing, padding, flipping and turning are followed that way.

    Args:
        transform: :meth:`~mmfusion_plugin.apis.image_inferencer.ImageInferencer.transform`.
        shape: Height and width of the photograph.
        name: Of the config, for messages.

    Returns:
        ``(2, 3)`` float64: column and row in the photograph of ``[column, row, 1]`` in the network's input.

    Raises:
        CorruptDataError: The photograph is too small, or too slim for the network's input.
        ValueError: The pipeline moves the photograph alone, cuts something off it or bends it.
    """
    height, width = shape
    if min(shape) < 3:
        raise CorruptDataError(f'a photograph of {width}x{height} pixels is too small for a mask: need 3 along each '
                               'side')  # fmt: skip
    image = np.zeros((height, width, 3), np.uint8)
    known = []
    inside = None
    for axis, size in ((1, width), (0, height)):
        line = np.arange(size, dtype=np.float32)
        ramp = np.ascontiguousarray(np.broadcast_to(line if axis else line[:, None], shape))
        results = transform(image, depth_map=ramp)
        moved = results['depth_map']
        if moved.shape != results['img'].shape[:2]:
            raise ValueError(f'the test pipeline of {name} resizes or cuts img alone: put what does so into '
                             'TransformImageAndMask')  # fmt: skip
        # At borders, interpolation repeats the outermost pixel.
        fit = (results['mask'] != 0) & (moved > 0) & (moved < size - 1)
        inside = fit if inside is None else inside & fit
        known.append(moved)
    matrix = _fit(known, inside, name)
    _check_cover(matrix, shape, inside.shape, name)
    return matrix


def place(values: np.ndarray, matrix: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """Values of the network's pixels ``(h, w)`` float32 at those of the photograph, ``(H, W)``, linear in between."""
    return cv2.warpAffine(values, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _fit(known: list, inside: np.ndarray, name: str) -> np.ndarray:
    rows, columns = inside.nonzero()
    spread = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _GRID**2)).round().astype(int))
    if len(spread) < 3 or not np.ptp(rows[spread]) or not np.ptp(columns[spread]):
        raise CorruptDataError(f'the test pipeline of {name} leaves too few pixels of the photograph to place a mask')
    rows, columns = rows[spread], columns[spread]
    grid = np.stack([columns, rows, np.ones(len(rows))], axis=1)
    goal = np.stack([values[rows, columns] for values in known], axis=1).astype(np.float64)
    solution = np.linalg.lstsq(grid, goal, rcond=None)[0]
    residual = np.abs(grid @ solution - goal).max()
    if residual > _MOST_RESIDUAL:
        raise ValueError(f'the test pipeline of {name} bends photographs (by {residual:.1f} pixels) or changes them by '
                         'chance: masks can be placed after resizing, padding, flipping and turning')  # fmt: skip
    return solution.T


def _check_cover(matrix: np.ndarray, shape: Tuple[int, int], size: Tuple[int, int], name: str) -> None:
    """The corners of the photograph lie in the network's input."""
    bottom, right = shape[0] - 1, shape[1] - 1
    corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], np.float64)
    seen = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    over = np.maximum(-0.5 - seen, seen - (np.array(size[::-1]) - 0.5)).max()
    if over > _MOST_CUT:
        raise ValueError(f'the test pipeline of {name} cuts off {over:.1f} of its pixels at a side of photographs: '
                         'resize or pad instead, so that every pixel gets a prediction')  # fmt: skip
