"""Rigid motions and projected boxes of nuScenes, in float64 numpy.

Frames: *global* (map), *ego* (rear axle of the car at one time stamp), *sensor* (LiDAR: x right, y forward, z up;
    camera: x right, y down, z along the optical axis). Lengths in metres, quaternions ``w, x, y, z``.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np


def rotation_matrix(quaternion: np.ndarray | Sequence[float]) -> np.ndarray:
    """Rotation matrices ``(..., 3, 3)`` of quaternions ``(..., 4)``, which need not have unit length."""
    q = np.asarray(quaternion, dtype=np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def pose_matrix(rotation: Sequence[float], translation: Sequence[float]) -> np.ndarray:
    """``(4, 4)`` motion from a sensor's or car's own frame into its parent's frame."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(rotation)
    matrix[:3, 3] = translation
    return matrix


def inverse_pose(matrix: np.ndarray) -> np.ndarray:
    """Inverse ``(4, 4)`` of a rigid motion."""
    inverse = np.eye(4)
    inverse[:3, :3] = matrix[:3, :3].T
    inverse[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return inverse


def box_corners(centre: np.ndarray, size: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Corners of oriented boxes.

    Args:
        centre: ``(K, 3)``.
        size: ``(K, 3)`` width, length, height, as in the annotation table; the length lies along the box's x axis.
        rotation: ``(K, 3, 3)`` from the box's axes into the frame of ``centre``.

    Returns:
        ``(K, 8, 3)`` in the frame of ``centre``.
    """
    signs = np.array([[x, y, z] for x in (1, -1) for y in (1, -1) for z in (1, -1)], dtype=np.float64)
    local = 0.5 * signs * size[:, None, [1, 0, 2]]
    return local @ rotation.transpose(0, 2, 1) + centre[:, None]


def heading(rotation: np.ndarray) -> np.ndarray:
    """Yaw ``(K,)`` in radians of rotations ``(K, 3, 3)``, by the definition of pyquaternion that info files follow."""
    return np.arctan2(-rotation[:, 0, 1], rotation[:, 0, 0])


def clip_hulls(
    pixels: np.ndarray, in_front: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes around the part of convex hulls that lies in the image.

    This is the rule of the devkit's ``export_2d_annotations_as_json.py``, which fails where hull and canvas meet in a
    line or a point; here such a box counts as unseen.

    Args:
        pixels: ``(K, 8, 2)`` projected corners ``[u, v]``.
        in_front: ``(K, 8)`` bool, corners with positive depth; the others are left out of the hull.
        width: Width of the canvas in pixels; it spans ``[0, width] x [0, height]``.
        height: Height of the canvas in pixels.

    Returns:
        Bounds ``(K, 4)`` ``[x1, y1, x2, y2]``; truncation ``(K,)``, ``1 - clipped area / unclipped area`` of the boxes
        around the hulls; and a mask ``(K,)`` of those with positive area inside (the other rows hold no meaning). For
        an object that reaches behind the camera the truncation is a lower bound, since its hull ends at the corners in
        front.
    """
    import shapely

    lower = np.where(in_front[..., None], pixels, np.inf).min(axis=1, initial=np.inf)
    upper = np.where(in_front[..., None], pixels, -np.inf).max(axis=1, initial=-np.inf)
    canvas = np.array([width, height], dtype=np.float64)
    seen = ((upper > 0) & (lower < canvas) & (upper > lower)).all(axis=1)
    bounds = np.hstack([lower, upper])
    crossing = np.flatnonzero(seen & ((lower < 0) | (upper > canvas)).any(axis=1))
    if len(crossing):
        row, corner = np.nonzero(in_front[crossing])
        corners = shapely.points(pixels[crossing][row, corner])
        inside = shapely.intersection(
            shapely.convex_hull(shapely.multipoints(corners, indices=row)), shapely.box(0, 0, width, height)
        )
        bounds[crossing] = shapely.bounds(inside)
        seen[crossing] = (shapely.get_type_id(inside) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(inside)
    truncation = np.zeros(len(pixels))
    extent, full = bounds[seen, 2:] - bounds[seen, :2], upper[seen] - lower[seen]
    truncation[seen] = np.clip(1.0 - extent.prod(axis=1) / full.prod(axis=1), 0.0, 1.0)
    return bounds, truncation, seen
