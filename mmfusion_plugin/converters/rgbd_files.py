"""Files of a recording with an RGB-D camera: lists of images, poses, the camera matrix, one depth image."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
from PIL import Image

from .scannet_images import Size

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
_RIGID = 1e-2
"""Largest entry of R R^T - 1 that rounding in a text file explains."""


def list_images(folder: Path) -> list[Path]:
    """Images of a folder, in the order of their numbers.

    Raises:
        FileNotFoundError: There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder} is not a folder')
    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        raise FileNotFoundError(f'{folder} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    return sorted(paths, key=_natural)


def number_of(path: Path) -> Optional[int]:
    """The number in a file's name ('frame-000012.depth.png': 12); None where there is none, or more than one."""
    numbers = re.findall(r'\d+', path.stem)
    return int(numbers[0]) if len(numbers) == 1 else None


def image_size(path: Path) -> Size:
    """Width and height of an image, of which only the header is read.

    Raises:
        ValueError: It is no image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path} is no image ({error})') from error


def read_depth(path: Path) -> np.ndarray:
    """Depth along the optical axis: ``(H, W)`` uint16 in the recording's unit, 0 unmeasured.

    Raises:
        ValueError: It is damaged, or does not hold one 16-bit value per pixel.
    """
    try:
        with Image.open(path) as image:
            mode, depth = image.mode, np.asarray(image)
    except (OSError, SyntaxError) as error:  # Pillow calls a broken PNG a syntax error
        raise ValueError(f'{path} is damaged ({error})') from error
    # Older versions of Pillow open a PNG of 16 bits as 'I', 32 bits.
    if not mode.startswith('I') or depth.min() < 0 or depth.max() > np.iinfo(np.uint16).max:
        raise ValueError(f'{path} must hold one 16-bit depth per pixel, got an image of mode {mode!r}')
    return depth.astype(np.uint16)


def read_color(path: Path) -> np.ndarray:
    """Colours ``(H, W, 3)`` uint8 RGB.

    Raises:
        ValueError: It is damaged.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert('RGB'))
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path} is damaged ({error})') from error


def read_poses(source: Path) -> list[tuple[Optional[int], np.ndarray]]:
    """Camera-to-world poses, ``(4, 4)`` float64 in metres, each with its number where it has one.

    Args:
        source: Open3D's ``trajectory.log`` (for each frame a line that begins with its number, then four rows of four
            values), or a folder with one text file of 4 x 4 values per frame.

    Raises:
        FileNotFoundError: It is missing, or the folder is empty.
        ValueError: A pose is damaged, or turns with something else than a rotation. Poses that are not finite, by which
            ScanNet marks frames whose place is unknown, pass.
    """
    if source.is_dir():
        paths = sorted(source.glob('*.txt'), key=_natural)
        if not paths:
            raise FileNotFoundError(f'{source} holds no .txt file: need one 4 x 4 camera-to-world pose per frame')
        return [(number_of(path), _pose(_matrix(path), str(path))) for path in paths]
    if not source.is_file():
        raise FileNotFoundError(f'{source} is neither a file nor a folder of poses')
    lines = [line.split() for line in source.read_text(encoding='utf-8').splitlines() if line.strip()]
    if not lines or len(lines) % 5:
        raise ValueError(f'{source} has {len(lines)} lines: each frame needs one with its number and four of its pose')
    found = []
    for start in range(0, len(lines), 5):
        where = f'{source}, frame {start // 5}'
        try:
            rows = np.array([[float(value) for value in line] for line in lines[start + 1 : start + 5]])
            number = int(lines[start][0])
        except ValueError as error:
            raise ValueError(f'{where}: need a line of whole numbers and 4 x 4 values ({error})') from error
        found.append((number, _pose(rows, where)))
    return found


def read_intrinsic(source: Union[Path, Sequence[float]]) -> tuple[np.ndarray, Optional[Size]]:
    """Camera matrix ``(3, 3)`` float64, pixel centres at integers, and the image size it says it belongs to.

    Args:
        source: Open3D's JSON (``intrinsic_matrix`` column by column, ``width``, ``height``), a text file with 3 x 3 or
            4 x 4 values, or the four values fx, fy, cx, cy in pixels.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is no matrix of a pinhole camera.
    """
    if not isinstance(source, Path):
        if len(source) != 4:
            raise ValueError(f'intrinsics must be a file or the four values fx fy cx cy, got {len(source)} values')
        fx, fy, cx, cy = source
        return _intrinsic(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64), 'intrinsics'), None
    if not source.is_file():
        raise FileNotFoundError(f'{source}, the camera matrix, not found')
    if source.suffix.lower() != '.json':
        matrix = _matrix(source)
        if matrix.shape not in ((3, 3), (4, 4)):
            raise ValueError(f'{source} holds {matrix.shape} values, need 3 x 3 or 4 x 4')
        return _intrinsic(matrix[:3, :3], str(source)), None
    try:
        content = json.loads(source.read_text(encoding='utf-8'))
        # Open3D stores its matrices column by column.
        matrix = np.array(content['intrinsic_matrix'], np.float64).reshape(3, 3).T
        size = (int(content['width']), int(content['height']))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{source} must hold width, height and the 9 values intrinsic_matrix ({error!r})') from error
    return _intrinsic(matrix, f'{source} (read column by column)'), size


def _natural(path: Path) -> list[Union[str, int]]:
    """Sorts 'frame2' before 'frame10'."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path.name)]


def _matrix(path: Path) -> np.ndarray:
    try:
        return np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ValueError(f'{path} is no matrix in text ({error})') from error


def _pose(matrix: np.ndarray, where: str) -> np.ndarray:
    if matrix.shape != (4, 4):
        raise ValueError(f'{where} has {matrix.shape} values: a camera-to-world pose has 4 x 4')
    if not np.isfinite(matrix).all():
        return matrix
    turn = matrix[:3, :3]
    rigid = np.abs(turn @ turn.T - np.eye(3)).max() < _RIGID and np.linalg.det(turn) > 0
    if not rigid or np.abs(matrix[3] - [0, 0, 0, 1]).max() > _RIGID:
        raise ValueError(f'{where} is no rigid motion: need a rotation, a translation in metres and the row 0 0 0 1')
    return matrix


def _intrinsic(matrix: np.ndarray, where: str) -> np.ndarray:
    pinhole = np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0
    if not pinhole or np.abs(matrix[[1, 2, 2, 2], [0, 0, 1, 2]] - [0, 0, 0, 1]).max() > 1e-9:
        raise ValueError(f'{where} is no matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels: {matrix.tolist()}')
    return matrix
