"""What generated ShapeNet models are made of: drawn numbers, colours and convex solids.

Every solid is closed and convex with its faces outwards, so that a model is a union of solids whose inside is known.
Builders work with x forward, y to the left, z up, in any unit: models are scaled afterwards.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple, TypeVar

import numpy as np
from scipy.spatial import ConvexHull

from mmfusion_plugin.synthetic import meshes
from mmfusion_plugin.synthetic.materials import PLAIN
from mmfusion_plugin.synthetic.meshes import Mesh, Vector

Colour = Tuple[float, float, float]
Choice = TypeVar('Choice')

# None is close to black: readers that drop alpha see models before a black ground.
WOODS: Sequence[Colour] = (
    (0.55, 0.36, 0.2), (0.72, 0.53, 0.32), (0.36, 0.22, 0.13), (0.84, 0.72, 0.52), (0.5, 0.24, 0.14), (0.9, 0.88, 0.84),
)  # fmt: skip
CLOTHS: Sequence[Colour] = (
    (0.66, 0.16, 0.14), (0.18, 0.3, 0.55), (0.45, 0.45, 0.47), (0.8, 0.74, 0.62), (0.2, 0.42, 0.28), (0.85, 0.55, 0.18),
    (0.36, 0.24, 0.42), (0.22, 0.22, 0.24), (0.55, 0.38, 0.26), (0.4, 0.62, 0.68),
)  # fmt: skip
METALS: Sequence[Colour] = ((0.7, 0.71, 0.73), (0.45, 0.46, 0.48), (0.24, 0.24, 0.26), (0.78, 0.68, 0.42))
PAINTS: Sequence[Colour] = (
    (0.92, 0.92, 0.93), (0.7, 0.72, 0.74), (0.24, 0.24, 0.27), (0.78, 0.1, 0.1), (0.12, 0.27, 0.62), (0.95, 0.76, 0.1),
    (0.14, 0.48, 0.26), (0.9, 0.45, 0.1), (0.5, 0.1, 0.2), (0.3, 0.6, 0.8),
)  # fmt: skip
GLASS: Colour = (0.22, 0.3, 0.36)
BLACK: Colour = (0.16, 0.16, 0.17)
WHITE: Colour = (0.93, 0.93, 0.92)


class Dice:
    """Draws the parameters of a shape.

    Args:
        rng: Where they come from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __call__(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        return float(self._rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return int(self._rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        """True in ``share`` of cases."""
        return bool(self._rng.random() < share)

    def pick(self, *choices: Choice) -> Choice:
        """One of the choices."""
        return choices[int(self._rng.integers(len(choices)))]

    def colour(self, palette: Sequence[Colour]) -> Colour:
        """One of the colours, slightly changed."""
        return shaded(palette[int(self._rng.integers(len(palette)))], self(0.85, 1.1))


def shaded(colour: Colour, factor: float) -> Colour:
    """``colour`` made darker or lighter by ``factor``."""
    red, green, blue = (min(1.0, factor * value) for value in colour)
    return red, green, blue


def outward(mesh: Mesh) -> Mesh:
    """A convex mesh with all faces turned outwards."""
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inside_out = ((corners.mean(axis=1) - mesh.vertices.mean(axis=0)) * normal).sum(axis=1) < 0
    faces = np.where(inside_out[:, None], mesh.faces[:, ::-1], mesh.faces)
    return Mesh(mesh.vertices, faces, mesh.material, mesh.colour, mesh.label)


def hull(points: Sequence[Vector], colour: Colour) -> Mesh:
    """The convex hull of points that do not lie in one plane."""
    points = np.asarray(points, dtype=np.float64)
    kept, faces = np.unique(ConvexHull(points).simplices, return_inverse=True)
    return outward(meshes.build(points[kept], faces.reshape(-1, 3), PLAIN, colour))


def block(centre: Vector, size: Vector, colour: Colour) -> Mesh:
    """An upright box of ``size`` (x, y, z) around ``centre``."""
    return outward(meshes.box(centre, size, PLAIN, colour))


def rod(start: Vector, end: Vector, radius: float, colour: Colour, tip: float = 1.0, sides: int = 12) -> Mesh:
    """A round bar whose radius at the end is ``radius * tip``."""
    return outward(meshes.tube(start, end, radius, PLAIN, colour, sides, tip))


def ball(centre: Vector, radii: Vector, colour: Colour) -> Mesh:
    """An ellipsoid of ``radii`` (x, y, z)."""
    return outward(meshes.ellipsoid(centre, radii, PLAIN, colour, subdivisions=2))


def post(foot: Vector, head: Vector, width: float, colour: Colour, tip: float = 1.0) -> Mesh:
    """A square bar that is not level; ``width * tip`` is its width at the foot."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * width / 2
    return hull(np.concatenate([np.asarray(foot) + tip * corners, np.asarray(head) + corners]), colour)


def oval(x: float, y: float, sides: int = 20) -> np.ndarray:
    """``(sides, 2)`` corners of an ellipse with half axes ``x`` and ``y`` about the origin."""
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    return np.stack([x * np.cos(angle), y * np.sin(angle)], axis=1)


def plate(outline: np.ndarray, low: float, high: float, colour: Colour) -> Mesh:
    """A convex outline ``(P, 2)`` in x and y, from height ``low`` to ``high``."""
    levels = [np.column_stack([outline, np.full(len(outline), level)]) for level in (low, high)]
    return hull(np.concatenate(levels), colour)


def loft(sections: Sequence[np.ndarray], colour: Colour) -> List[Mesh]:
    """Hulls between neighbours in a row of convex ``sections``, each ``(P, 3)``."""
    return [hull(np.concatenate(pair), colour) for pair in zip(sections[:-1], sections[1:])]


def blade(root: Vector, tip: Vector, chords: Tuple[float, float], thick: float, axis: int, colour: Colour) -> Mesh:
    """A wing from ``root`` to ``tip``, both on its leading edge.

    Args:
        root: Leading edge at the root.
        tip: Leading edge at the tip.
        chords: Lengths towards -x at root and tip.
        thick: Thickness at the root, as a share of the chord.
        axis: Number of the axis along which it is thick: 1 for a fin, 2 for a wing.
        colour: Of all of it.
    """
    profile = np.zeros((6, 3))
    profile[:, 0] = 0.0, -0.25, -0.6, -1.0, -0.6, -0.25
    profile[:, axis] = np.array([0.0, 0.5, 0.35, 0.04, -0.35, -0.5]) * thick
    return hull(np.concatenate([np.asarray(root) + chords[0] * profile, np.asarray(tip) + chords[1] * profile]), colour)


def mirrored(parts: Sequence[Mesh]) -> List[Mesh]:
    """The parts and their mirror images on the other side (y)."""
    images = [outward(Mesh(part.vertices * [1, -1, 1], part.faces, part.material, part.colour, part.label))
              for part in parts]  # fmt: skip
    return [*parts, *images]


def tilted(parts: Sequence[Mesh], angle: float, x: float = 0.0, z: float = 0.0) -> List[Mesh]:
    """The parts leant back by ``angle`` degrees about the level line through (``x``, ``z``)."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return [part.moved(-x, 0, -z).turned(turn).moved(x, 0, z) for part in parts]
