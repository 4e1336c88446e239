"""Rooms as data: what stands in a bathroom or an office, its walls and its lamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Tuple

import numpy as np

from mmfusion_plugin.synthetic import scannet_fixtures as fixtures
from mmfusion_plugin.synthetic import scannet_furniture as furniture
from mmfusion_plugin.synthetic.meshes import Mesh, box, build
from mmfusion_plugin.synthetic.scannet_categories import raw_id
from mmfusion_plugin.synthetic.scannet_furniture import Piece, part, pick
from mmfusion_plugin.synthetic.scannet_layout import Layout, Rectangle
from mmfusion_plugin.synthetic.scannet_textures import CARPET, GLOW, PAINTED, PARQUET, TILE, WALLPAPER
from mmfusion_plugin.synthetic.world import Actor

#: Scene types of ScanNet that are generated, in the order in which scenes take turns: few scenes show all 20 classes.
SCENE_TYPES: Tuple[str, ...] = (
    'Apartment', 'Bathroom', 'Office', 'Kitchen', 'Bedroom / Hotel', 'Living room / Lounge'
)  # fmt: skip

_SIZES: Dict[str, Tuple[float, float]] = {
    'Apartment': (5.6, 6.8), 'Bathroom': (2.9, 3.5), 'Office': (4.2, 5.6), 'Kitchen': (3.8, 4.8),
    'Bedroom / Hotel': (3.9, 4.9), 'Living room / Lounge': (4.6, 6.0),
}  # fmt: skip
_WALL_COLOURS = ((0.72, 0.7, 0.64), (0.66, 0.7, 0.72), (0.74, 0.68, 0.55), (0.62, 0.68, 0.6), (0.75, 0.74, 0.73))


@dataclass
class Room:
    """A furnished room: what a ``RayCaster`` asks of a world, and its light.

    Attributes:
        static: Empty; everything in a room is an object.
        seeds: Empty, for ``static``.
        actors: The objects; ``category`` is ScanNet's raw id, 0 for what nobody annotated.
        size: Width (x), length (y) and height (z), metres; the floor's corner is the origin.
        tall: Ground (x0, x1, y0, y1) under furniture higher than 1.1 m.
        lamps: ``(L, 7)`` float64: place (m), strength, RGB.
        scene_type: Of ``SCENE_TYPES``.
    """

    static: Mesh
    seeds: np.ndarray
    actors: List[Actor]
    size: Tuple[float, float, float]
    tall: List[Rectangle]
    lamps: np.ndarray
    scene_type: str


def empty_room(actors: List[Actor], size: Tuple[float, float, float], lamps: np.ndarray, scene_type: str) -> Room:
    """A room that holds ``actors`` alone."""
    nothing = build(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), PAINTED, (0.0, 0.0, 0.0))
    return Room(nothing, np.zeros(0, dtype=np.float32), actors, size, [], lamps, scene_type)


def shell(width: float, length: float, height: float, materials: Tuple[int, int], colours: Tuple) -> List[Actor]:
    """Floor, ceiling and four walls, 10 cm thick, each an object of its own about its middle.

    Args:
        width: Along x, metres.
        length: Along y, metres.
        height: Along z, metres.
        materials: Of the floor and of the walls.
        colours: Of floor, walls and ceiling.
    """
    x, y, thick = width / 2, length / 2, 0.1
    floor = box((0, 0, -thick / 2), (width, length, thick), materials[0], colours[0])
    ceiling = box((0, 0, thick / 2), (width, length, thick), PAINTED, colours[2])
    actors = [
        Actor(part('floor', floor)[1], raw_id('floor'), (x, y, 0.0), 0.0),
        Actor(part('ceiling', ceiling)[1], raw_id('ceiling'), (x, y, height), 0.0),
    ]
    places = ((x, 0.0, width), (width, y, length), (x, length, width), (0.0, y, length))
    for wall, (px, py, extent) in enumerate(places):
        mesh = box((0, -thick / 2, height / 2), (extent + 2 * thick, thick, height), materials[1], colours[1])
        actors.append(Actor(part('wall', mesh)[1], raw_id('wall'), (px, py, 0.0), wall * np.pi / 2))
    return actors


def furnished_room(rng: np.random.Generator, scene_type: str) -> Room:
    """A room of a scene type; the same generator state gives the same room.

    Raises:
        KeyError: The scene type is not one of ``SCENE_TYPES``.
    """
    width, length = np.array(_SIZES[scene_type]) * rng.uniform(0.92, 1.12, 2)
    height = rng.uniform(2.4, 2.75)
    layout = Layout(rng, float(width), float(length), float(height))
    wet = scene_type in ('Bathroom', 'Kitchen')
    ground = TILE if wet else int(rng.choice([PARQUET, CARPET]))
    floor = {
        TILE: ((0.6, 0.58, 0.54), (0.4, 0.42, 0.44)),
        PARQUET: ((0.52, 0.33, 0.18), (0.38, 0.23, 0.13)),
        CARPET: ((0.4, 0.36, 0.3), (0.28, 0.3, 0.36)),
    }[ground]
    covering = TILE if scene_type == 'Bathroom' else (WALLPAPER if rng.random() < 0.3 else PAINTED)
    wall = pick(rng, _WALL_COLOURS)
    layout.actors += shell(
        layout.width, layout.length, layout.height, (ground, covering), (pick(rng, floor), wall, (0.82, 0.82, 0.8))
    )
    parts, size = fixtures.door(rng)
    layout.hang(parts, size, size[1] / 2, base=0.0, clear=0.95)
    panes = _windows(layout, rng, 1 if wet else int(rng.integers(1, 3)))
    _FURNISH[scene_type](layout, rng)
    for _ in range(int(rng.integers(2, 5)) if scene_type != 'Bathroom' else 1):
        parts, size = fixtures.picture(rng)
        layout.hang(parts, size, float(rng.uniform(1.45, 1.75)))
    size = (layout.width, layout.length, layout.height)
    room = empty_room(layout.actors, size, _lamps(layout, rng, panes), scene_type)
    room.tall = layout.tall
    return room


def _windows(layout: Layout, rng: np.random.Generator, count: int) -> List[Tuple[float, float, float]]:
    """Windows between curtains; returns places (m) half a metre before their middles."""
    places = []
    for _ in range(count):
        parts, (width, height) = fixtures.window(rng)
        wide, colour = float(rng.uniform(0.35, 0.55)), fixtures.curtain_colour(rng)
        middle = 0.9 + height / 2
        found = layout.hang(parts, (width + 2 * wide, height), middle)
        if found is None:
            continue
        top = middle + height / 2 + 0.1
        drop = height + 0.2 if rng.random() < 0.4 else top - 0.06
        for side in (-1, 1):
            along = found[1] + side * (width / 2 + wide / 2 - 0.04)
            x, y, yaw = layout.on_wall(found[0], along, 0.0)
            # Long curtains reach below their window: the furniture there stands before them, as it does in real rooms.
            layout.add([fixtures.curtain(wide, drop, colour)], x, y, top, yaw)
        x, y, _ = layout.on_wall(found[0], found[1], 0.5)
        places.append((x, y, middle))
    return places


def _lamps(layout: Layout, rng: np.random.Generator, panes: List[Tuple[float, float, float]]) -> np.ndarray:
    """A ceiling lamp with its light below it, and the light that each window lets in."""
    x, y = layout.width / 2 + rng.normal(0, 0.2), layout.length / 2 + rng.normal(0, 0.2)
    top = layout.height
    shade = box((0, 0, -0.04), (0.5, 0.5, 0.06), GLOW, (0.8, 0.78, 0.7))
    layout.add([part('', shade)], x, y, top, 0.0)
    warm = rng.uniform(0.82, 1.0)
    lamps = [(x, y, top - 0.15, 3.6 * rng.uniform(0.8, 1.2), 1.0, 0.5 + warm / 2, warm)]
    lamps += [(px, py, pz, 1.5, 0.92, 0.98, 1.08) for px, py, pz in panes]
    return np.array(lamps)


def _several(layout: Layout, make: Callable[[], Piece], count: int, clear: float = 0.0) -> None:
    for _ in range(count):
        layout.against_wall(make(), clear=clear)


def _clutter(layout: Layout, rng: np.random.Generator) -> None:
    layout.against_wall(furniture.trash_can(rng))
    _several(layout, lambda: furniture.carton(rng), int(rng.integers(1, 3)))
    if rng.random() < 0.6:
        layout.against_wall(furniture.plant(rng))


def _bathroom(layout: Layout, rng: np.random.Generator) -> None:
    for piece, clear in ((fixtures.bathtub(rng), 0.3), (fixtures.toilet(rng), 0.3), (fixtures.washstand(rng), 0.3)):
        layout.against_wall(piece, clear=clear)
    layout.against_wall(furniture.cabinet(rng))
    layout.against_wall(furniture.trash_can(rng))


def _office(layout: Layout, rng: np.random.Generator) -> None:
    _several(layout, lambda: furniture.desk(rng), int(rng.integers(2, 4)))
    _several(layout, lambda: furniture.bookshelf(rng), int(rng.integers(1, 3)), 0.4)
    layout.against_wall(furniture.cabinet(rng), clear=0.4)
    layout.in_middle(furniture.dining_set(rng))
    parts, size = fixtures.whiteboard(rng)
    layout.hang(parts, size, 1.5)
    _clutter(layout, rng)


def _kitchen(layout: Layout, rng: np.random.Generator) -> None:
    layout.against_wall(fixtures.kitchen_unit(rng), clear=0.5)
    layout.against_wall(fixtures.refrigerator(rng), clear=0.4)
    layout.against_wall(furniture.cabinet(rng), clear=0.3)
    layout.in_middle(furniture.dining_set(rng))
    layout.against_wall(furniture.trash_can(rng))


def _bedroom(layout: Layout, rng: np.random.Generator) -> None:
    layout.against_wall(furniture.bed(rng), clear=0.2)
    _several(layout, lambda: furniture.cabinet(rng, 'nightstand'), 2)
    layout.against_wall(furniture.cabinet(rng), clear=0.3)
    layout.against_wall(furniture.desk(rng))
    layout.against_wall(furniture.bookshelf(rng), clear=0.3)
    layout.against_wall(furniture.sofa(rng, 'armchair'))
    _clutter(layout, rng)


def _living_room(layout: Layout, rng: np.random.Generator) -> None:
    layout.against_wall(furniture.sofa(rng), clear=0.3)
    layout.against_wall(furniture.tv_stand(rng), clear=0.3)
    _several(layout, lambda: furniture.bookshelf(rng), 2, 0.3)
    layout.against_wall(furniture.sofa(rng, 'armchair'))
    layout.in_middle(furniture.coffee_table(rng))
    layout.in_middle(furniture.dining_set(rng))
    layout.against_wall(furniture.cabinet(rng))
    _clutter(layout, rng)


def _apartment(layout: Layout, rng: np.random.Generator) -> None:
    """One room for living, sleeping, working and cooking: 17 of the 20 classes."""
    layout.against_wall(fixtures.kitchen_unit(rng), clear=0.5)
    layout.against_wall(furniture.bed(rng), clear=0.2)
    layout.against_wall(furniture.sofa(rng), clear=0.3)
    layout.against_wall(fixtures.refrigerator(rng), clear=0.3)
    layout.against_wall(furniture.desk(rng))
    layout.against_wall(furniture.bookshelf(rng), clear=0.3)
    layout.against_wall(furniture.cabinet(rng), clear=0.2)
    layout.in_middle(furniture.dining_set(rng))
    layout.in_middle(furniture.coffee_table(rng))
    layout.against_wall(furniture.tv_stand(rng))
    layout.against_wall(furniture.cabinet(rng, 'nightstand'))
    layout.against_wall(furniture.sofa(rng, 'armchair'))
    layout.against_wall(furniture.bookshelf(rng), clear=0.3)
    _clutter(layout, rng)


_FURNISH: Dict[str, Callable[[Layout, np.random.Generator], None]] = {
    'Apartment': _apartment, 'Bathroom': _bathroom, 'Office': _office, 'Kitchen': _kitchen,
    'Bedroom / Hotel': _bedroom, 'Living room / Lounge': _living_room,
}  # fmt: skip
