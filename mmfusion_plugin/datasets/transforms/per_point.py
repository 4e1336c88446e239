"""The one place that filters or reorders the points of a sample."""

from __future__ import annotations

from typing import Union

import numpy as np
import torch

_PER_POINT_KEYS = ('pts_semantic_mask', 'pts_instance_mask')


def select_points(results: dict, index: np.ndarray) -> dict:
    """Keep the chosen points together with their labels and their rows of the pixel match.

    Args:
        results: A sample; changed in place.
        index: Boolean mask ``(N,)`` or integer index ``(M,)`` into the points.

    Returns:
        ``results``.
    """
    if index.dtype == bool:
        index = np.flatnonzero(index)  # searched once, not for each array
    results['points'] = results['points'][index]
    for key in _PER_POINT_KEYS:
        if key in results:
            results[key] = results[key][index]
    if 'point_pixel_match' in results:
        results['point_pixel_match'] = results['point_pixel_match'].select(index)
    return results


def transform_sweep(results: dict, matrix: np.ndarray) -> dict:
    """Move all points and record the motion.

    Args:
        results: A sample; changed in place. ``pixel_xyz`` and ``scan_xyz`` move along; chunks, which are upright boxes,
            are forgotten. ``lidar_aug_matrix`` ``(4, 4)`` float64 maps original coordinates to the present ones.
        matrix: ``(4, 4)`` affine map of homogeneous coordinates in metres.

    Returns:
        ``results``.
    """
    points = results['points'].clone()
    xyz = points.tensor[:, :3].numpy().astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    points.tensor[:, :3] = torch.from_numpy(xyz)
    results['points'] = points
    for key in ('pixel_xyz', 'scan_xyz'):
        if key in results:
            moved = results[key].astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
            results[key] = moved.astype(np.float32)
    for key in ('chunk_box', 'chunk_boxes'):
        results.pop(key, None)
    results['lidar_aug_matrix'] = matrix @ results.get('lidar_aug_matrix', np.eye(4))
    return results


def rotation_about_z(angle: float) -> np.ndarray:
    """``(4, 4)`` counter-clockwise rotation about the vertical axis by ``angle`` in radians."""
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


def translation(offset: Union[np.ndarray, tuple[float, float, float]]) -> np.ndarray:
    """``(4, 4)`` translation by ``offset`` in metres."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix
