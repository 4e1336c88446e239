"""What fusing a whole walk's depth would give: a mesh of all that was seen, its true colours and its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import numpy as np

from mmfusion_plugin.synthetic.scannet_camera import NEAREST, RoomCamera, lens
from mmfusion_plugin.synthetic.scannet_shader import shade_points

# Longest edge (m), and the distance of the closest vertices as a share of it: ScanNet's decimated meshes have 2 to 5 cm
# between vertices.
LONGEST_EDGE, CLOSEST = 0.05, 0.4
# Standard deviation (m) of a fused vertex about the true surface.
FUSION_NOISE = 0.002
# A segment is a part of an object with one orientation, within cells of this size (m).
SEGMENT_CELL = 0.6
# Share of segments that the annotators forgot.
FORGOTTEN = 0.015
_FAR, _NEAR_ENOUGH = 5.0, 0.004


@dataclass
class FusedMesh:
    """``points (N, 3)`` float64 m in the room's frame, ``colors (N, 3)`` uint8, ``faces (M, 3)`` int32,
    ``objects (N,)`` int32 rows of the room's actors, ``segments (N,)`` int64."""

    points: np.ndarray
    colors: np.ndarray
    faces: np.ndarray
    objects: np.ndarray
    segments: np.ndarray


def fuse(
    camera: RoomCamera, poses: Sequence[np.ndarray], rng: np.random.Generator, longest_edge: float = LONGEST_EDGE
) -> FusedMesh:
    """The mesh of a room as seen from ``poses``.

    Args:
        camera: Of the room.
        poses: ``(4, 4)`` camera to room; many, as the mesh does not depend on the frames that are kept.
        rng: Draws the noise of the vertices.
        longest_edge: Of the mesh's triangles (m).

    Raises:
        ValueError: Nothing is seen from any pose.
    """
    tri = camera.caster.triangles
    corner = tri.corner.astype(np.float64)
    corners, rows = subdivide(np.stack([corner, corner + tri.edge1, corner + tri.edge2], axis=1), longest_edge)
    first, faces = _welded(corners, tri.instance[rows], CLOSEST * longest_edge)
    points, rows = corners.reshape(-1, 3)[first], rows[first // 3].astype(np.int32)
    seen, toward = visible(camera, points, poses)
    if not seen.any():
        raise ValueError('no pose sees a vertex of the room')
    faces = faces[seen[faces].all(axis=1)]
    kept = np.flatnonzero(seen)
    renumbered = np.cumsum(seen) - 1
    points, rows, toward = points[kept], rows[kept], toward[kept]
    normals = camera.surfaces.normal[rows].astype(np.float64)
    normals *= np.where((normals * toward).sum(1, keepdims=True) < 0, -1.0, 1.0)
    lit = camera.lamps_seen(points, normals).astype(np.float64)
    colors = shade_points(points, rows, toward, camera.surfaces, camera.room.lamps, lit, longest_edge / 2)
    objects = tri.instance[rows].astype(np.int32)
    segments = _segments(points, normals, objects)
    points = points + rng.normal(0, FUSION_NOISE, points.shape)
    return FusedMesh(points, colors, renumbered[faces].astype(np.int32), objects, segments)


def subdivide(corners: np.ndarray, longest: float) -> Tuple[np.ndarray, np.ndarray]:
    """Halves the longest edge of each triangle until none is longer than ``longest`` metres.

    Neighbours halve a common edge at the same point.

    Args:
        corners: ``(T, 3, 3)`` float64.
        longest: Metres.

    Returns:
        ``(S, 3, 3)`` smaller triangles, and ``(S,)`` the triangle that each is a part of.
    """
    done, owners, rows = [], [], np.arange(len(corners))
    while len(corners):
        edge = np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
        which = edge.argmax(axis=1)
        small = edge.max(axis=1) <= longest
        done.append(corners[small])
        owners.append(rows[small])
        corners, rows, which = corners[~small], rows[~small], which[~small]
        turned = np.take_along_axis(corners, ((which[:, None] + np.arange(3)) % 3)[..., None], axis=1)
        a, b, c = turned[:, 0], turned[:, 1], turned[:, 2]
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
        rows = np.concatenate([rows, rows])
    return np.concatenate(done), np.concatenate(owners)


def _welded(corners: np.ndarray, objects: np.ndarray, closest: float) -> Tuple[np.ndarray, np.ndarray]:
    """Corners of one object that share a cell of ``closest`` m become the first of them.

    Returns:
        ``(N,)`` their numbers among all corners, ascending, and faces ``(M, 3)`` without those that collapsed.
    """
    cell = np.floor(corners.reshape(-1, 3) / closest + 0.5).astype(np.int64)
    cell -= cell.min(axis=0)
    x, y, z = cell.max(axis=0) + 1
    key = ((np.repeat(objects.astype(np.int64), 3) * x + cell[:, 0]) * y + cell[:, 1]) * z + cell[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    faces = rank[inverse.reshape(-1)].reshape(-1, 3)
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return first[order], faces[whole]


def visible(camera: RoomCamera, points: np.ndarray, poses: Sequence[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Which ``points (N, 3)`` m some pose sees: ``(N,)`` bool, and ``(N, 3)`` the way to the first that does."""
    seen, toward = np.zeros(len(points), dtype=bool), np.zeros_like(points)
    width, height = camera.depth_size
    fx, fy, cx, cy = lens(camera.depth_size, depth=True)
    for pose in poses:
        ask = np.flatnonzero(~seen)
        way = points[ask] - pose[:3, 3]
        local = way @ pose[:3, :3]
        z = np.maximum(local[:, 2], 1e-6)
        u, v = fx * local[:, 0] / z + cx, fy * local[:, 1] / z + cy
        inside = (local[:, 2] > NEAREST) & (z < _FAR) & (u > -0.5) & (u < width - 0.5) & (v > -0.5) & (v < height - 0.5)
        ask, way = ask[inside], way[inside].astype(np.float32)
        if not len(ask):
            continue
        origins = np.tile(pose[:3, 3].astype(np.float32), (len(ask), 1))
        row, share = camera.caster.first_hit(origins, way)
        length = np.linalg.norm(way, axis=1)
        found = (row < 0) | (share > 1 - _NEAR_ENOUGH / length)
        seen[ask[found]], toward[ask[found]] = True, -way[found]
    return seen, toward


def _segments(points: np.ndarray, normals: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Over-segmentation ``(N,)`` int64: the number of the first vertex of each segment."""
    axis = np.abs(normals).argmax(axis=1)
    side = 2 * axis + (np.take_along_axis(normals, axis[:, None], axis=1)[:, 0] > 0)
    cell = np.floor(points / SEGMENT_CELL).astype(np.int64)
    key = np.concatenate([objects[:, None].astype(np.int64), side[:, None], cell], axis=1)
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)]


def groups(mesh: FusedMesh, categories: Sequence[int], rng: np.random.Generator) -> List[Tuple[int, List[int]]]:
    """Annotated objects: raw id and segments of each, without what was forgotten.

    Args:
        mesh: Of the room.
        categories: Raw id of each of the room's actors; those with 0 were not annotated.
        rng: Draws the forgotten segments.
    """
    members: Dict[int, List[int]] = {}
    for segment in np.unique(mesh.segments):
        owner = int(mesh.objects[segment])
        if categories[owner] and rng.random() >= FORGOTTEN:
            members.setdefault(owner, []).append(int(segment))
    return [(categories[owner], segments) for owner, segments in sorted(members.items())]
