"""What stands beside a street: houses, trees, bushes, hills, lamps, signs, traffic lights, bus shelters."""

from __future__ import annotations

import numpy as np

from mmfusion_plugin.synthetic.materials import (
    BARK,
    BRICK,
    CONCRETE,
    CURTAIN_WALL,
    FINE,
    GRASS,
    LAMP,
    LEAF,
    PLAIN,
    PLASTER,
    SIGN,
    WINDOW,
)
from mmfusion_plugin.synthetic.meshes import Mesh, box, build, ellipsoid, merge, tube

MANMADE, VEGETATION = FINE['static.manmade'], FINE['static.vegetation']
STEEL = (0.4, 0.42, 0.43)


def house(rng: np.random.Generator, width: float, depth: float, facing: int) -> Mesh:
    """A building of ``width`` (x) by ``depth`` (y) m whose street front is at y = ``facing`` * depth / 2."""
    height = rng.uniform(7, 16) if rng.random() < 0.6 else rng.uniform(18, 45)
    material = int(rng.choice([BRICK, PLASTER, PLASTER, CURTAIN_WALL]))
    colours = {
        BRICK: [(0.42, 0.18, 0.12), (0.5, 0.3, 0.2), (0.35, 0.25, 0.2)],
        PLASTER: [(0.75, 0.7, 0.6), (0.6, 0.62, 0.63), (0.8, 0.78, 0.75), (0.7, 0.5, 0.35)],
        CURTAIN_WALL: [(0.18, 0.26, 0.32), (0.22, 0.3, 0.28), (0.12, 0.16, 0.2)],
    }[material]
    colour = colours[rng.integers(len(colours))]
    trim = tuple(0.5 * np.array(colour) + 0.25)
    front = facing * depth / 2
    parts = [
        box((0, 0, height / 2), (width, depth, height), material, colour, MANMADE),
        box((0, 0, height + 0.25), (width + 0.3, depth + 0.3, 0.5), PLAIN, trim, MANMADE),
        box((0, front, 3.6), (width, 0.5, 0.35), PLAIN, trim, MANMADE),
    ]
    for x in np.arange(-width / 2 + 0.4, width / 2, max(3.5, width / 5)):
        parts.append(box((x, front, 1.8), (0.5, 0.5, 3.6), CONCRETE, trim, MANMADE))
    if rng.random() < 0.5:
        awning = tuple(rng.uniform(0.1, 0.7, 3))
        x = rng.uniform(-width / 4, width / 4)
        parts.append(box((x, front + facing * 0.7, 2.9), (width * 0.35, 1.4, 0.12), PLAIN, awning, MANMADE))
    if rng.random() < 0.5:
        for z in np.arange(5.2, min(height - 2, 22), 3.2):
            parts.append(box((width * 0.22, front + facing * 0.6, z), (2.6, 1.2, 0.15), CONCRETE, trim, MANMADE))
            parts.append(box((width * 0.22, front + facing * 1.15, z + 0.5), (2.6, 0.06, 1.0), PLAIN, STEEL, MANMADE))
    parts.append(box((width * 0.1, 0, height + 1.3), (3, 3, 2.0), PLAIN, (0.5, 0.5, 0.5), MANMADE))
    return merge(parts)


def _leaves(
    rng: np.random.Generator, centre: np.ndarray, radii: np.ndarray, count: int, size: float, colour: tuple
) -> Mesh:
    """A cloud of ``count`` leaf clusters (one triangle each) in an ellipsoid; rays pass between them."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    place = centre + direction * radii * rng.uniform(0.55, 1.0, (count, 1))
    corners = place[:, None] + rng.normal(size=(count, 3, 3)) * size
    shade = 0.65 + 0.35 * (direction[:, 2:] * 0.5 + 0.5) * rng.uniform(0.7, 1.3, (count, 1))
    mesh = build(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3), LEAF, colour, VEGETATION)
    mesh.colour = (np.asarray(colour) * shade).astype(np.float32)
    return mesh


_GREENS = [(0.1, 0.19, 0.04), (0.14, 0.22, 0.05), (0.09, 0.15, 0.05), (0.2, 0.24, 0.06)]


def tree(rng: np.random.Generator, scale: float = 1.0) -> Mesh:
    """A broad-leaved tree of 5 to 12 m: trunk, branches, several crowns with holes."""
    height = scale * rng.uniform(8, 12)
    colour = _GREENS[rng.integers(len(_GREENS))]
    crown = height * 0.62
    bark = (0.16, 0.12, 0.09)
    top = np.array([rng.normal(0, 0.15), rng.normal(0, 0.15), crown])
    parts = [tube((0, 0, -0.1), top, 0.025 * height, BARK, bark, 7, 0.6, VEGETATION)]
    spread = height * 0.2
    for angle in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 6):
        offset = np.array([np.cos(angle) * spread, np.sin(angle) * spread, rng.uniform(-0.06, 0.12) * height])
        parts.append(tube(top * [1, 1, 0.72], top + offset, 0.009 * height, BARK, bark, 4, 0.5, VEGETATION))
        radii = np.array([0.17, 0.17, 0.14]) * height * rng.uniform(0.85, 1.15)
        parts.append(_leaves(rng, top + offset, radii, 90, 0.026 * height, colour))
    parts.append(
        _leaves(rng, top + [0, 0, 0.14 * height], np.array([0.2, 0.2, 0.18]) * height, 130, 0.026 * height, colour)
    )
    return merge(parts)


def bush(rng: np.random.Generator) -> Mesh:
    """A bush of 0.7 to 1.4 m: a dense core under a coat of leaves."""
    size = rng.uniform(0.7, 1.25)
    colour = _GREENS[rng.integers(len(_GREENS))]
    radii = np.array([size * 1.15, size * 0.8, size * 0.75])
    core = ellipsoid((0, 0, size * 0.4), radii * 0.85, LEAF, np.array(colour) * 0.6, VEGETATION)
    return merge([core, _leaves(rng, np.array([0, 0, size * 0.45]), radii, 110, 0.09, colour)])


def hill(rng: np.random.Generator, width: float, depth: float) -> Mesh:
    """Uneven grass, up to 0.6 m high, flat at its edges."""
    columns, rows = 18, 14
    x, y = np.meshgrid(np.linspace(-width / 2, width / 2, columns), np.linspace(-depth / 2, depth / 2, rows))
    edge = np.clip(1 - (2 * x / width) ** 2, 0, 1) * np.clip(1 - (2 * y / depth) ** 2, 0, 1)
    z = edge * (0.55 + 0.25 * np.sin(x * 0.7 + rng.uniform(0, 6)) + 0.2 * np.cos(y * 0.9 + rng.uniform(0, 6)))
    index = np.arange(columns * rows).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    vertices = np.stack([x.ravel(), y.ravel(), z.ravel()], 1)
    return build(vertices, faces, GRASS, (0.17, 0.24, 0.06), FINE['flat.terrain'])


def lamp_post() -> Mesh:
    """A street lamp of 8 m whose arm points along +x."""
    return merge(
        [
            tube((0, 0, 0), (0, 0, 7.6), 0.1, PLAIN, STEEL, 8, 0.6, MANMADE),
            tube((0, 0, 7.5), (1.8, 0, 8.0), 0.05, PLAIN, STEEL, 6, 0.8, MANMADE),
            box((2.0, 0, 7.98), (0.7, 0.25, 0.12), LAMP, (0.8, 0.8, 0.75), MANMADE),
        ]
    )


def sign(rng: np.random.Generator) -> Mesh:
    """A traffic sign on a pole, retro-reflecting, facing along x."""
    colour = [(0.7, 0.05, 0.05), (0.05, 0.15, 0.55), (0.05, 0.35, 0.15), (0.85, 0.7, 0.05)][rng.integers(4)]
    size = rng.uniform(0.5, 0.85)
    face = box((0.05, 0, 2.4), (0.03, size, size), SIGN, colour, MANMADE)
    if rng.random() < 0.5:
        face = tube((0.03, 0, 2.4), (0.07, 0, 2.4), size / 2, SIGN, colour, 12, label=MANMADE)
    return merge([tube((0, 0, 0), (0, 0, 2.9), 0.04, PLAIN, STEEL, 6, label=MANMADE), face])


def traffic_light() -> Mesh:
    """A traffic light on a pole with a second head on a mast arm, facing +x."""
    parts = [tube((0, 0, 0), (0, 0, 6.0), 0.09, PLAIN, (0.12, 0.12, 0.12), 8, 0.8, MANMADE)]
    for y, z in ((0.0, 3.0),):
        parts.append(box((0.14, y, z), (0.2, 0.32, 0.95), PLAIN, (0.02, 0.02, 0.02), MANMADE))
        for i, colour in enumerate([(0.9, 0.05, 0.03), (0.4, 0.25, 0.02), (0.02, 0.25, 0.08)]):
            parts.append(
                tube((0.24, y, z + 0.3 - 0.3 * i), (0.27, y, z + 0.3 - 0.3 * i), 0.1, LAMP, colour, 8, label=MANMADE)
            )
    return merge(parts)


def shelter() -> Mesh:
    """A bus shelter of 4 m, open towards +y."""
    parts = [
        box((0, 0, 2.4), (4.0, 1.5, 0.1), PLAIN, (0.25, 0.3, 0.32), MANMADE),
        box((0, -0.7, 1.25), (3.9, 0.05, 2.0), WINDOW, (0.2, 0.25, 0.27), MANMADE),
        box((0.4, -0.45, 0.45), (2.4, 0.35, 0.06), PLAIN, (0.35, 0.2, 0.1), MANMADE),
        box((-1.9, 0.0, 1.2), (0.12, 1.2, 1.7), SIGN, (0.55, 0.25, 0.5), MANMADE),
    ]
    for x in (-1.9, 1.9):
        for y in (-0.65, 0.65):
            parts.append(tube((x, y, 0), (x, y, 2.4), 0.05, PLAIN, STEEL, 6, label=MANMADE))
    return merge(parts)
