"""Triangle meshes with a material, a colour and a fine nuScenes label per face, and the solids they are built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np
import trimesh

Vector = Sequence[float]


@dataclass
class Mesh:
    """Triangles in metres. ``vertices (V, 3)`` float64, ``faces (F, 3)`` int64, and per face ``material`` uint8,
    ``colour (F, 3)`` float32 RGB 0..1 and ``label`` uint8 (fine nuScenes category 0..31)."""

    vertices: np.ndarray
    faces: np.ndarray
    material: np.ndarray
    colour: np.ndarray
    label: np.ndarray

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """The same mesh turned by ``yaw`` (rad, about z) and then shifted (m)."""
        cos, sin = np.cos(yaw), np.sin(yaw)
        rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return Mesh(self.vertices @ rotation.T + [x, y, z], self.faces, self.material, self.colour, self.label)

    def turned(self, matrix: np.ndarray) -> Mesh:
        """The same mesh under a (3, 3) rotation."""
        return Mesh(self.vertices @ np.asarray(matrix).T, self.faces, self.material, self.colour, self.label)

    def labelled(self, label: int) -> Mesh:
        """The same mesh with one label for all faces."""
        return Mesh(self.vertices, self.faces, self.material, self.colour, np.full_like(self.label, label))

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) smallest and largest coordinate."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])


def build(vertices: np.ndarray, faces: np.ndarray, material: int, colour: Vector, label: int = 0) -> Mesh:
    """A mesh of one material, colour and label."""
    count = len(faces)
    return Mesh(
        np.asarray(vertices, dtype=np.float64),
        np.asarray(faces, dtype=np.int64),
        np.full(count, material, dtype=np.uint8),
        np.tile(np.asarray(colour, dtype=np.float32), (count, 1)),
        np.full(count, label, dtype=np.uint8),
    )


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one, in the given order."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets)]),
        np.concatenate([mesh.material for mesh in meshes]),
        np.concatenate([mesh.colour for mesh in meshes]),
        np.concatenate([mesh.label for mesh in meshes]),
    )


_BOX_FACES = np.array(
    [
        [0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4],
        [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7],
    ]
)  # fmt: skip


def frustum(lower: Vector, upper: Vector, z0: float, z1: float, material: int, colour: Vector, label: int = 0) -> Mesh:
    """A box whose floor at ``z0`` spans ``lower`` = (x0, x1, y0, y1) and whose roof at ``z1`` spans ``upper``."""
    corners = []
    for (x0, x1, y0, y1), z in ((lower, z0), (upper, z1)):
        corners += [[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]]
    return build(np.array(corners), _BOX_FACES, material, colour, label)


def box(centre: Vector, size: Vector, material: int, colour: Vector, label: int = 0) -> Mesh:
    """An upright box of ``size`` (x, y, z) m around ``centre``."""
    (x, y, z), (dx, dy, dz) = centre, np.asarray(size) / 2
    span = (x - dx, x + dx, y - dy, y + dy)
    return frustum(span, span, z - dz, z + dz, material, colour, label)


def prism(profile: Vector, width: float, material: int, colour: Vector, y: float = 0.0, label: int = 0) -> Mesh:
    """A convex x-z outline ``profile`` (P, 2), counter-clockwise seen from -y, drawn out to ``width`` along y."""
    outline = np.asarray(profile, dtype=np.float64)
    count = len(outline)
    sides = []
    for sign in (-1, 1):
        sides.append(np.stack([outline[:, 0], np.full(count, y + sign * width / 2), outline[:, 1]], axis=1))
    faces = []
    for i in range(1, count - 1):
        faces += [[0, i, i + 1], [count, count + i + 1, count + i]]
    for i in range(count):
        j = (i + 1) % count
        faces += [[i, i + count, j], [j, i + count, j + count]]
    return build(np.concatenate(sides), np.array(faces), material, colour, label)


def tube(
    start: Vector,
    end: Vector,
    radius: float,
    material: int,
    colour: Vector,
    sides: int = 8,
    tip: float = 1.0,
    label: int = 0,
) -> Mesh:
    """A closed cylinder from ``start`` to ``end``; the radius at the end is ``radius * tip``."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = (end - start) / np.linalg.norm(end - start)
    helper = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    first = np.cross(helper, axis)
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
    vertices = np.concatenate([start + radius * ring, end + radius * tip * ring, [start], [end]])
    faces: List[Tuple[int, int, int]] = []
    for i in range(sides):
        j = (i + 1) % sides
        faces += [
            (i, j, i + sides),
            (j, j + sides, i + sides),
            (2 * sides, j, i),
            (2 * sides + 1, i + sides, j + sides),
        ]
    return build(vertices, np.array(faces), material, colour, label)


def ellipsoid(
    centre: Vector, radii: Vector, material: int, colour: Vector, label: int = 0, subdivisions: int = 1
) -> Mesh:
    """A sphere of 20 * 4**subdivisions triangles, stretched to ``radii``."""
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions)
    return build(sphere.vertices * np.asarray(radii) + np.asarray(centre), sphere.faces, material, colour, label)


def rectangle(x0: float, x1: float, y0: float, y1: float, z: float, material: int, colour: Vector, label: int) -> Mesh:
    """A horizontal rectangle seen from above."""
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
    return build(corners, np.array([[0, 1, 2], [0, 2, 3]]), material, colour, label)
