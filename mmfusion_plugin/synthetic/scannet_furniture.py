"""Furniture of generated rooms. A piece stands on z = 0 about the origin and looks along +y; its back is at -y."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh, box, ellipsoid, merge, tube
from mmfusion_plugin.synthetic.scannet_categories import raw_id
from mmfusion_plugin.synthetic.scannet_textures import (
    BOOKS,
    FABRIC,
    FRONTS,
    GLOW,
    LEAVES,
    PAINTED,
    SCREEN,
    STEEL,
    WOOD,
)

Colour = Tuple[float, float, float]
WOODS: Sequence[Colour] = ((0.42, 0.25, 0.13), (0.6, 0.42, 0.24), (0.25, 0.15, 0.09), (0.7, 0.68, 0.64))
CLOTHS: Sequence[Colour] = (
    (0.45, 0.12, 0.12), (0.15, 0.22, 0.4), (0.35, 0.35, 0.36), (0.55, 0.48, 0.38), (0.14, 0.3, 0.2), (0.6, 0.35, 0.12),
)  # fmt: skip
DARK: Colour = (0.05, 0.05, 0.06)
METAL: Colour = (0.5, 0.5, 0.52)


@dataclass
class Piece:
    """Something to place: its parts with their raw category ids, and the ground that it needs.

    Attributes:
        parts: Category id and mesh (m) of each object in it.
        size: Width (x), depth (y) and height (z) of the whole, metres, about the origin.
    """

    parts: List[Tuple[int, Mesh]]
    size: Tuple[float, float, float]


def pick(rng: np.random.Generator, choices: Sequence[Colour]) -> Colour:
    """One of the colours, slightly changed."""
    colour = np.asarray(choices[rng.integers(len(choices))]) * rng.uniform(0.85, 1.15)
    return float(colour[0]), float(colour[1]), float(colour[2])


def part(name: str, *meshes: Mesh) -> Tuple[int, Mesh]:
    """Category id of ``name`` and the meshes as one, labelled with it."""
    number = raw_id(name)
    return number, merge(meshes).labelled(number)


def legs(width: float, depth: float, height: float, thick: float, colour: Colour, material: int = WOOD) -> List[Mesh]:
    """Four legs at the corners of ``width`` x ``depth`` m."""
    x, y = width / 2 - thick, depth / 2 - thick
    return [box((sx * x, sy * y, height / 2), (thick, thick, height), material, colour)
            for sx in (-1, 1) for sy in (-1, 1)]  # fmt: skip


def bed(rng: np.random.Generator) -> Piece:
    """A bed with a headboard and pillows."""
    width, length = float(rng.choice([1.0, 1.5, 1.8])), 2.05
    wood, cloth = pick(rng, WOODS), pick(rng, CLOTHS)
    frame = [
        box((0, 0, 0.17), (width, length, 0.26), WOOD, wood),
        box((0, 0.03, 0.4), (width - 0.06, length - 0.1, 0.2), FABRIC, (0.75, 0.74, 0.7)),
        box((0, 0.3, 0.44), (width + 0.02, length - 0.65, 0.2), FABRIC, cloth),
        box((0, -length / 2 + 0.03, 0.5), (width, 0.06, 1.0), WOOD, wood),
    ]
    count = 1 if width < 1.2 else 2
    places = [((i - (count - 1) / 2) * 0.7, -0.72, 0.56) for i in range(count)]
    pillows = [part('pillow', ellipsoid(place, (0.3, 0.2, 0.08), FABRIC, (0.8, 0.78, 0.74))) for place in places]
    return Piece([part('bed', *frame), *pillows], (width, length, 1.0))


def sofa(rng: np.random.Generator, name: str = 'couch') -> Piece:
    """A sofa, or with ``name`` 'armchair' a seat of its kind for one."""
    seats = 1 if name == 'armchair' else int(rng.integers(2, 4))
    width, colour = 0.62 * seats + 0.34, pick(rng, CLOTHS)
    light = tuple(min(1.0, 1.15 * value) for value in colour)
    meshes = [
        box((0, 0, 0.16), (width, 0.85, 0.22), FABRIC, colour),
        box((0, -0.33, 0.45), (width, 0.2, 0.8), FABRIC, colour),
    ]
    for side in (-1, 1):
        meshes.append(box((side * (width / 2 - 0.08), 0, 0.33), (0.16, 0.85, 0.56), FABRIC, colour))
    for i in range(seats):
        x = (i - (seats - 1) / 2) * 0.62
        meshes.append(box((x, 0.07, 0.36), (0.6, 0.66, 0.18), FABRIC, light))
        meshes.append(box((x, -0.2, 0.6), (0.58, 0.12, 0.36), FABRIC, light))
    parts = [part(name, *meshes)]
    if name == 'couch' and rng.random() < 0.7:
        pillow = ellipsoid((width / 2 - 0.38, -0.08, 0.58), (0.2, 0.1, 0.18), FABRIC, pick(rng, CLOTHS))
        parts.append(part('pillow', pillow))
    return Piece(parts, (width, 0.87, 0.85))


def chair(rng: np.random.Generator, colour: Colour) -> Mesh:
    """A chair of four legs."""
    back = rng.uniform(0.85, 1.0)
    return merge([
        *legs(0.44, 0.44, 0.45, 0.04, colour),
        box((0, 0, 0.46), (0.45, 0.45, 0.04), WOOD, colour),
        box((0, -0.2, (0.48 + back) / 2), (0.44, 0.035, back - 0.48), WOOD, colour),
    ])  # fmt: skip


def office_chair(rng: np.random.Generator) -> Mesh:
    """A swivel chair on a star of five feet."""
    colour = pick(rng, (DARK, (0.1, 0.12, 0.25), (0.3, 0.05, 0.05)))
    meshes = [
        tube((0, 0, 0.08), (0, 0, 0.45), 0.035, STEEL, METAL),
        box((0, 0, 0.48), (0.48, 0.48, 0.08), FABRIC, colour),
        box((0, -0.22, 0.78), (0.44, 0.06, 0.5), FABRIC, colour),
    ]
    for angle in np.arange(5) * (2 * np.pi / 5):
        meshes.append(tube((0, 0, 0.09), (0.3 * np.cos(angle), 0.3 * np.sin(angle), 0.05), 0.025, STEEL, DARK, sides=5))
    return merge(meshes)


def table(width: float, depth: float, height: float, colour: Colour) -> Mesh:
    """A table top on four legs."""
    top = box((0, 0, height - 0.02), (width, depth, 0.04), WOOD, colour)
    return merge([top, *legs(width, depth, height - 0.04, 0.06, colour)])


def dining_set(rng: np.random.Generator) -> Piece:
    """A table with two to six chairs."""
    width, depth, colour = rng.uniform(1.1, 1.8), rng.uniform(0.8, 0.95), pick(rng, WOODS)
    parts = [part('dining table', table(width, depth, 0.75, colour))]
    seat = pick(rng, WOODS)
    for side in (-1, 1):
        for x in np.arange(int(width / 0.6)) * 0.6 - 0.3 * (int(width / 0.6) - 1):
            if rng.random() < 0.85:
                yaw = (0.0 if side < 0 else np.pi) + rng.normal(0, 0.12)
                y = side * (depth / 2 + rng.uniform(0.0, 0.22))
                parts.append(part('chair', chair(rng, seat).moved(x + rng.normal(0, 0.03), y, 0, yaw)))
    if rng.random() < 0.6:
        parts.append(part('', box((0.2, 0.05, 0.77), (0.21, 0.3, 0.03), PAINTED, (0.7, 0.7, 0.72))))
    return Piece(parts, (width, depth + 1.0, 1.0))


def coffee_table(rng: np.random.Generator) -> Piece:
    """A low table with something on it that nobody annotated."""
    width, depth, colour = rng.uniform(0.8, 1.2), rng.uniform(0.5, 0.65), pick(rng, WOODS)
    clutter = box((0.1, 0, 0.44), (0.25, 0.18, 0.04), BOOKS, (0.5, 0.5, 0.5))
    return Piece([part('coffee table', table(width, depth, 0.42, colour)), part('', clutter)], (width, depth, 0.45))


def desk(rng: np.random.Generator) -> Piece:
    """A desk with drawers, a monitor, a keyboard and an office chair."""
    width, depth, colour = rng.uniform(1.2, 1.6), 0.7, pick(rng, WOODS)
    back = -0.35
    meshes = [
        box((0, back + depth / 2, 0.73), (width, depth, 0.035), WOOD, colour),
        box((-width / 2 + 0.02, back + depth / 2, 0.36), (0.035, depth - 0.06, 0.71), WOOD, colour),
        box((width / 2 - 0.2, back + depth / 2, 0.36), (0.4, depth - 0.06, 0.71), FRONTS, colour),
    ]
    screen = [
        box((-0.1, back + 0.2, 1.0), (0.54, 0.04, 0.33), SCREEN, DARK),
        box((-0.1, back + 0.22, 0.8), (0.05, 0.05, 0.12), STEEL, DARK),
        box((-0.1, back + 0.22, 0.757), (0.22, 0.18, 0.02), STEEL, DARK),
    ]
    keys = box((-0.1, back + 0.48, 0.76), (0.44, 0.14, 0.025), STEEL, (0.12, 0.12, 0.13))
    seat = office_chair(rng).moved(-0.15 + rng.normal(0, 0.05), 0.55, 0, np.pi + rng.normal(0, 0.4))
    parts = [part('desk', *meshes), part('monitor', *screen), part('keyboard', keys), part('office chair', seat)]
    return Piece(_shifted(parts, -0.25), (width, 1.25, 1.15))


def _shifted(parts: List[Tuple[int, Mesh]], y: float) -> List[Tuple[int, Mesh]]:
    return [(number, mesh.moved(y=y)) for number, mesh in parts]


def bookshelf(rng: np.random.Generator) -> Piece:
    """A case of boards, most of them filled with books."""
    width, height, depth, colour = rng.uniform(0.8, 1.4), rng.uniform(1.5, 2.0), 0.3, pick(rng, WOODS)
    meshes = [box((0, -depth / 2 + 0.01, height / 2), (width, 0.02, height), WOOD, colour)]
    for side in (-1, 1):
        meshes.append(box((side * (width / 2 - 0.012), 0, height / 2), (0.025, depth, height), WOOD, colour))
    count = int(height / 0.34)
    for level in range(count + 1):
        z = 0.06 + level * (height - 0.08) / count
        meshes.append(box((0, 0, z), (width - 0.04, depth, 0.025), WOOD, colour))
        if level < count and rng.random() < 0.85:
            full, tall = (width - 0.06) * rng.uniform(0.5, 1.0), rng.uniform(0.2, 0.27)
            x = (full - width + 0.06) / 2
            meshes.append(box((x, -0.02, z + 0.0125 + tall / 2), (full, 0.2, tall), BOOKS, (0.5, 0.5, 0.5)))
    return Piece([part('bookshelf', *meshes)], (width, depth, height))


def cabinet(rng: np.random.Generator, name: str = 'cabinet') -> Piece:
    """A closed cupboard; low ones carry something unannotated. 'nightstand' is a small one with a lamp."""
    colour = pick(rng, WOODS)
    if name == 'nightstand':
        body = box((0, 0, 0.27), (0.45, 0.4, 0.54), FRONTS, colour)
        lamp = [
            tube((0, 0, 0.54), (0, 0, 0.78), 0.02, STEEL, METAL),
            tube((0, 0, 0.74), (0, 0, 0.96), 0.15, GLOW, (0.8, 0.72, 0.5), tip=0.6, sides=12),
        ]
        return Piece([part(name, body), part('lamp', *lamp)], (0.45, 0.4, 0.96))
    width, height = rng.uniform(0.8, 1.5), float(rng.choice([0.8, 1.2, 1.9]))
    parts = [part(name, box((0, 0, height / 2), (width, 0.45, height), FRONTS, colour))]
    if height < 1.5 and rng.random() < 0.7:
        parts.append(part('plant', *plant_meshes(rng, height)))
    return Piece(parts, (width, 0.45, height))


def plant_meshes(rng: np.random.Generator, z: float) -> List[Mesh]:
    """A pot with leaves, standing at height ``z``."""
    return [
        tube((0, 0, z), (0, 0, z + 0.16), 0.08, PAINTED, (0.45, 0.2, 0.12), sides=10, tip=1.25),
        ellipsoid((0, 0, z + 0.3), (0.17, 0.17, 0.2), LEAVES, pick(rng, ((0.12, 0.35, 0.1), (0.2, 0.4, 0.12)))),
    ]


def plant(rng: np.random.Generator) -> Piece:
    """A large plant on the floor."""
    meshes = [
        tube((0, 0, 0), (0, 0, 0.35), 0.16, PAINTED, (0.5, 0.48, 0.45), sides=12, tip=1.2),
        tube((0, 0, 0.3), (0, 0, 0.8), 0.02, WOOD, WOODS[0]),
        ellipsoid((0, 0, 0.95), (0.3, 0.3, 0.4), LEAVES, pick(rng, ((0.1, 0.3, 0.1), (0.18, 0.36, 0.1)))),
    ]
    return Piece([part('plant', *meshes)], (0.6, 0.6, 1.35))


def tv_stand(rng: np.random.Generator) -> Piece:
    """A low board (otherfurniture) with a television."""
    width, colour = rng.uniform(1.2, 1.7), pick(rng, WOODS)
    screen = [
        box((0, -0.08, 0.93), (1.05, 0.05, 0.62), SCREEN, DARK),
        box((0, -0.08, 0.56), (0.4, 0.2, 0.03), STEEL, DARK),
        box((0, -0.08, 0.6), (0.06, 0.04, 0.08), STEEL, DARK),
    ]
    board = box((0, 0, 0.27), (width, 0.42, 0.54), FRONTS, colour)
    return Piece([part('tv stand', board), part('tv', *screen)], (width, 0.42, 1.25))


def trash_can(rng: np.random.Generator) -> Piece:
    """A bin (otherfurniture)."""
    colour = pick(rng, ((0.12, 0.12, 0.13), (0.2, 0.3, 0.5), (0.6, 0.6, 0.6)))
    return Piece([part('trash can', tube((0, 0, 0), (0, 0, 0.42), 0.15, STEEL, colour, 14, 1.2))], (0.36, 0.36, 0.42))


def carton(rng: np.random.Generator) -> Piece:
    """A cardboard box; every third one was never annotated."""
    width, depth, height = rng.uniform(0.3, 0.5, 3)
    mesh = box((0, 0, height / 2), (width, depth, height), PAINTED, (0.5, 0.36, 0.2))
    return Piece([part('box' if rng.random() < 0.67 else '', mesh)], (width, depth, height))
