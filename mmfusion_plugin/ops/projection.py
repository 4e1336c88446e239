"""Pinhole projection of points into cameras, for numpy arrays and torch tensors alike, computed in float64.

Pixel centres lie at integer coordinates: an image of width W covers -0.5 <= u < W - 0.5.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Array = TypeVar('Array', np.ndarray, Tensor)


def transform_points(points: Array, matrix: Array) -> Array:
    """Move points by a rigid or affine transform: ``R p + t``.

    Args:
        points: (..., 3), numpy or torch.
        matrix: (4, 4), last row 0 0 0 1; numpy, torch or nested lists.

    Returns:
        Moved points of the same shape, kind and dtype (float64 for integer points).

    Raises:
        ValueError: A shape is wrong, or the matrix is not affine.
    """
    exact, matrix = _as_float64(points), _affine(matrix, points)
    return _like(exact @ matrix[:3, :3].T + matrix[:3, 3], points)


def project_points(points: Array, lidar2cam: Array, cam2img: Array) -> tuple[Array, Array]:
    """Pixel and depth of each point in one camera.

    Points behind the camera are projected too (through the pinhole, mirrored); points at depth 0 have infinite or NaN
    pixels. :func:`in_image` is False for both.

    Args:
        points: (N, 3) in metres in the LiDAR frame, numpy or torch.
        lidar2cam: (4, 4) from the LiDAR to the camera frame (x right, y down, z forward).
        cam2img: (3, 3) or (4, 4) from the camera frame to homogeneous pixels.

    Returns:
        Pixels [u, v] of shape (N, 2) and depths (the camera's z, metres) of shape (N,), of the kind and dtype of
        ``points`` (float64 for integer points).

    Raises:
        ValueError: A shape is wrong, or ``lidar2cam`` is not affine.
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f'points must be (N, 3), got {tuple(points.shape)}: slice the coordinates off first')
    to_camera, intrinsic = _affine(lidar2cam, points), _matrix(cam2img, points)
    if tuple(intrinsic.shape) not in ((3, 3), (4, 4)):
        raise ValueError(f'cam2img must be (3, 3) or (4, 4), got {tuple(intrinsic.shape)}')
    # u, v and w times the pixel, and the depth, in one product; one row each, so that dividing runs along memory.
    to_image = intrinsic[:3] @ to_camera[: intrinsic.shape[0]]
    rows = (torch if isinstance(points, Tensor) else np).vstack((to_image, to_camera[2:3]))
    image = rows[:, :3] @ _as_float64(points).T + rows[:, 3:]
    with np.errstate(divide='ignore', invalid='ignore'):
        pixels = image[:2] / image[2]
        return _like(pixels.T, points), _like(image[3], points)


def unproject_depth(depth: np.ndarray, cam2world: np.ndarray, depth2img: np.ndarray) -> np.ndarray:
    """Where the pixels of depth images lie.

    Args:
        depth: (V, H, W) metres along the optical axis.
        cam2world: (V, 4, 4) poses of the cameras (x right, y down, z forward), metres.
        depth2img: (3, 3) camera matrix of the images.

    Returns:
        (V, H, W, 3) float32, metres in the poses' frame; pixels of depth 0 lie at their camera.

    Raises:
        ValueError: A shape is wrong.
    """
    views, matrix = len(depth), np.asarray(depth2img, np.float64)
    poses = np.asarray(cam2world, np.float64)
    if depth.ndim != 3 or poses.shape != (views, 4, 4) or matrix.shape != (3, 3):
        raise ValueError(
            f'need depth (V, H, W), cam2world (V, 4, 4) and depth2img (3, 3), got {depth.shape}, {poses.shape} and '
            f'{matrix.shape}'
        )
    rows, columns = np.indices(depth.shape[1:], dtype=np.float64).reshape(2, -1)
    rays = poses[:, :3, :3] @ (np.linalg.inv(matrix) @ np.stack([columns, rows, np.ones_like(rows)]))
    result = np.empty((views, len(rows), 3), np.float32)
    flat = depth.reshape(views, len(rows))
    for axis in range(3):  # along memory, in contrast to the three coordinates of a pixel
        result[..., axis] = flat * rays[:, axis] + poses[:, axis, 3:4]
    return result.reshape(*depth.shape, 3)


def in_image(pixels: Array, depth: Array, height: int, width: int, min_depth: float = 0.0) -> Array:
    """Which points are seen: -0.5 <= u < width - 0.5, -0.5 <= v < height - 0.5, depth > min_depth.

    Args:
        pixels: (N, 2) [u, v], numpy or torch.
        depth: (N,) in metres.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        min_depth: Points at most this deep (metres) are not seen.

    Returns:
        Mask of shape (N,); False where anything is NaN.

    Raises:
        ValueError: Shapes do not fit together.
    """
    if pixels.ndim != 2 or pixels.shape[1] != 2 or tuple(depth.shape) != (pixels.shape[0],):
        raise ValueError(f'need pixels (N, 2) and depth (N,), got {tuple(pixels.shape)} and {tuple(depth.shape)}')
    u, v = pixels[:, 0], pixels[:, 1]
    return (u >= -0.5) & (u < width - 0.5) & (v >= -0.5) & (v < height - 0.5) & (depth > min_depth)


def _as_float64(points: Array) -> Array:
    return points.double() if isinstance(points, Tensor) else np.asarray(points, dtype=np.float64)


def _like(result: Array, points: Array) -> Array:
    """``result`` in the dtype of ``points`` if that is floating."""
    if isinstance(points, Tensor):
        return result.to(points.dtype if points.is_floating_point() else result.dtype).contiguous()
    return np.ascontiguousarray(result, dtype=points.dtype if points.dtype.kind == 'f' else None)


def _matrix(matrix: Array, points: Array) -> Array:
    """``matrix`` in float64, of the kind and on the device of ``points``."""
    if isinstance(points, Tensor):
        return torch.as_tensor(matrix, dtype=torch.float64, device=points.device)
    return np.asarray(matrix.detach().cpu() if isinstance(matrix, Tensor) else matrix, dtype=np.float64)


def _affine(matrix: Array, points: Array) -> Array:
    """``matrix`` as :func:`_matrix` after checking it, and ``points``, for an affine transform."""
    if points.shape[-1] != 3:
        raise ValueError(f'points must be (..., 3), got {tuple(points.shape)}: slice the coordinates off first')
    matrix = _matrix(matrix, points)
    if tuple(matrix.shape) != (4, 4):
        raise ValueError(f'the transform must be (4, 4), got {tuple(matrix.shape)}')
    if not np.allclose(matrix[3].tolist(), (0, 0, 0, 1), atol=1e-6):
        raise ValueError(f'the last row of the transform must be 0 0 0 1, got {matrix[3].tolist()}: is it transposed?')
    return matrix
