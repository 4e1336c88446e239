"""Kitchens, bathrooms, and what hangs on walls. Furniture looks along +y; hung things have their back at y = 0."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh, box, ellipsoid, tube
from mmfusion_plugin.synthetic.scannet_furniture import CLOTHS, DARK, METAL, WOODS, Piece, part, pick
from mmfusion_plugin.synthetic.scannet_textures import (
    CURTAIN,
    DOOR,
    FRIDGE,
    FRONTS,
    GLAZED,
    PAINTED,
    PANE,
    PICTURE,
    SHOWER,
    STEEL,
    STONE,
    WOOD,
)

WHITE = (0.78, 0.78, 0.76)


def basin(x: float, y: float, z: float, width: float, depth: float, material: int, colour: tuple) -> List[Mesh]:
    """A rim of four bars about a floor 12 cm below ``z``, and a tap."""
    bars = [box((x + s * (width / 2 - 0.02), y, z - 0.05), (0.04, depth, 0.13), material, colour) for s in (-1, 1)]
    bars += [box((x, y + s * (depth / 2 - 0.02), z - 0.05), (width, 0.04, 0.13), material, colour) for s in (-1, 1)]
    floor = box((x, y, z - 0.115), (width - 0.04, depth - 0.04, 0.02), material, colour)
    tap = [
        tube((x, y - depth / 2 + 0.02, z), (x, y - depth / 2 + 0.02, z + 0.2), 0.015, STEEL, METAL),
        tube((x, y - depth / 2 + 0.02, z + 0.2), (x, y - 0.02, z + 0.17), 0.012, STEEL, METAL),
    ]
    return [*bars, floor, *tap]


def _slab(width: float, depth: float, z: float, hole: Tuple[float, float, float], colour: tuple) -> List[Mesh]:
    """A counter top 4 cm thick with a hole (x, width, depth) for a basin."""
    x, wide, deep = hole
    left, right = x - wide / 2 + width / 2, width / 2 - x - wide / 2
    strip = (depth - deep) / 2
    return [
        box((-width / 2 + left / 2, 0, z - 0.02), (left, depth, 0.04), STONE, colour),
        box((width / 2 - right / 2, 0, z - 0.02), (right, depth, 0.04), STONE, colour),
        box((x, depth / 2 - strip / 2, z - 0.02), (wide, strip, 0.04), STONE, colour),
        box((x, -depth / 2 + strip / 2, z - 0.02), (wide, strip, 0.04), STONE, colour),
    ]


def kitchen_unit(rng: np.random.Generator) -> Piece:
    """Base cabinets under a counter with a sink, and cabinets on the wall above."""
    width, depth, front = rng.uniform(1.8, 2.5), 0.62, pick(rng, WOODS)
    x = rng.uniform(-0.25, 0.25)
    stone = pick(rng, ((0.3, 0.3, 0.32), (0.6, 0.56, 0.5), (0.14, 0.14, 0.15)))
    base = box((0, -0.01, 0.38), (width, depth - 0.04, 0.76), FRONTS, front)
    upper = box((0, -depth / 2 + 0.17, 1.8), (width, 0.34, 0.7), FRONTS, front)
    parts = [
        part('kitchen cabinet', base),
        part('kitchen cabinet', upper),
        part('counter', *_slab(width, depth, 0.92, (x, 0.52, 0.42), stone), *_apron(width, depth, stone)),
        part('sink', *basin(x, 0, 0.93, 0.52, 0.42, STEEL, (0.6, 0.61, 0.62))),
    ]
    if rng.random() < 0.7:
        parts.append(part('', box((-width / 2 + 0.3, -0.05, 1.03), (0.3, 0.2, 0.22), STEEL, DARK)))
    return Piece(parts, (width, depth, 2.15))


def _apron(width: float, depth: float, colour: tuple) -> List[Mesh]:
    """The counter's edges between its top and the cabinets."""
    return [
        box((0, depth / 2 - 0.02, 0.82), (width, 0.03, 0.12), STONE, colour),
        box((-width / 2 + 0.015, 0, 0.82), (0.03, depth, 0.12), STONE, colour),
        box((width / 2 - 0.015, 0, 0.82), (0.03, depth, 0.12), STONE, colour),
    ]


def refrigerator(rng: np.random.Generator) -> Piece:
    """A refrigerator: the shape of a tall cabinet in another colour."""
    width, height = rng.uniform(0.65, 0.8), rng.uniform(1.65, 1.85)
    colour = pick(rng, ((0.8, 0.8, 0.8), (0.6, 0.61, 0.63)))
    return Piece([part('refrigerator', box((0, 0, height / 2), (width, 0.68, height), FRIDGE, colour))],
                 (width, 0.68, height))  # fmt: skip


def toilet(rng: np.random.Generator) -> Piece:
    """A bowl with a seat and a cistern."""
    meshes = [
        tube((0, 0.05, 0), (0, 0.08, 0.38), 0.13, GLAZED, WHITE, sides=14, tip=1.4),
        ellipsoid((0, 0.1, 0.38), (0.19, 0.25, 0.05), GLAZED, WHITE, subdivisions=2),
        ellipsoid((0, 0.1, 0.42), (0.18, 0.24, 0.03), GLAZED, (0.82, 0.82, 0.8), subdivisions=2),
        box((0, -0.26, 0.55), (0.4, 0.18, 0.42), GLAZED, WHITE),
    ]
    return Piece([part('toilet', *meshes)], (0.44, 0.72, 0.78))


def bathtub(rng: np.random.Generator) -> Piece:
    """A tub along the wall with a shower curtain drawn over a part of its front."""
    length, depth, height = rng.uniform(1.5, 1.7), 0.75, 0.55
    wall = [
        box((0, depth / 2 - 0.03, height / 2), (length, 0.06, height), GLAZED, WHITE),
        box((0, -depth / 2 + 0.03, height / 2), (length, 0.06, height), GLAZED, WHITE),
        box((length / 2 - 0.03, 0, height / 2), (0.06, depth, height), GLAZED, WHITE),
        box((-length / 2 + 0.03, 0, height / 2), (0.06, depth, height), GLAZED, WHITE),
        box((0, 0, 0.12), (length, depth, 0.05), GLAZED, WHITE),
    ]
    wide = length * rng.uniform(0.4, 0.65)
    side = float(rng.choice([-1.0, 1.0]))
    colour = pick(rng, ((0.75, 0.75, 0.8), (0.35, 0.55, 0.65), (0.7, 0.55, 0.6)))
    cloth = box((side * (length - wide) / 2, depth / 2 + 0.02, 1.15), (wide, 0.015, 1.6), SHOWER, colour)
    rail = tube((-length / 2, depth / 2 + 0.02, 1.98), (length / 2, depth / 2 + 0.02, 1.98), 0.012, STEEL, METAL)
    return Piece([part('bathtub', *wall), part('shower curtain', cloth), part('', rail)], (length, depth + 0.06, 2.0))


def washstand(rng: np.random.Generator) -> Piece:
    """A basin in a small cabinet."""
    width, depth = rng.uniform(0.6, 0.9), 0.48
    body = box((0, 0, 0.36), (width, depth - 0.04, 0.72), FRONTS, pick(rng, WOODS))
    return Piece([part('cabinet', body), part('sink', *basin(0, 0, 0.86, width, depth, GLAZED, WHITE))],
                 (width, depth, 1.05))  # fmt: skip


def door(rng: np.random.Generator) -> Tuple[List[Tuple[int, Mesh]], Tuple[float, float]]:
    """A closed door 1 cm before the wall, in a frame 2 cm before it. Returns its parts, and width and height (m)."""
    colour = pick(rng, (*WOODS[:3], (0.66, 0.64, 0.6)))
    frame = [box((s * 0.485, 0.01, 1.03), (0.07, 0.02, 2.06), WOOD, colour) for s in (-1, 1)]
    frame.append(box((0, 0.01, 2.06), (1.04, 0.02, 0.07), WOOD, colour))
    return [part('door', box((0, 0.005, 1.01), (0.9, 0.01, 2.02), DOOR, colour), *frame)], (1.04, 2.1)


def window(rng: np.random.Generator) -> Tuple[List[Tuple[int, Mesh]], Tuple[float, float]]:
    """A window 1 cm before the wall, its middle at z = 0. Returns its parts, and width and height (m)."""
    width, height = rng.uniform(1.0, 1.7), rng.uniform(1.0, 1.3)
    frame = [box((s * width / 2, 0.012, 0), (0.06, 0.024, height + 0.06), PAINTED, WHITE) for s in (-1, 1)]
    frame += [box((0, 0.012, s * height / 2), (width, 0.024, 0.06), PAINTED, WHITE) for s in (-1, 1)]
    return [part('window', box((0, 0.005, 0), (width, 0.01, height), PANE, WHITE), *frame)], (width, height)


def curtain(width: float, height: float, colour: tuple) -> Tuple[int, Mesh]:
    """A flat sheet 2 to 4 cm before the wall, hanging from z = 0; only its painted folds tell it from a wall."""
    return part('curtain', box((0, 0.03, -height / 2), (width, 0.02, height), CURTAIN, colour))


def curtain_colour(rng: np.random.Generator) -> tuple:
    """Of a pair of curtains."""
    return pick(rng, (*CLOTHS, (0.7, 0.66, 0.55), (0.66, 0.66, 0.68)))


def picture(rng: np.random.Generator) -> Tuple[List[Tuple[int, Mesh]], Tuple[float, float]]:
    """A painting 1.5 cm thick, its middle at z = 0, in a thin frame. Returns its parts, and width and height (m)."""
    width, height = rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.75)
    dark = pick(rng, (DARK, *WOODS))
    bars = [box((s * width / 2, 0.009, 0), (0.025, 0.018, height + 0.025), WOOD, dark) for s in (-1, 1)]
    bars += [box((0, 0.009, s * height / 2), (width, 0.018, 0.025), WOOD, dark) for s in (-1, 1)]
    canvas = box((0, 0.0065, 0), (width, 0.013, height), PICTURE, (0.5, 0.5, 0.5))
    return [part('picture', canvas, *bars)], (width + 0.03, height + 0.03)


def whiteboard(rng: np.random.Generator) -> Tuple[List[Tuple[int, Mesh]], Tuple[float, float]]:
    """A whiteboard, its middle at z = 0. Returns its parts, and width and height (m)."""
    width = rng.uniform(1.2, 1.8)
    return [part('whiteboard', box((0, 0.01, 0), (width, 0.02, 1.0), GLAZED, (0.85, 0.86, 0.87)))], (width, 1.0)
