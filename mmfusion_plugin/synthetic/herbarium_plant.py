"""A pressed plant: a stem with branches and leaves. Its outline tells each trait; colours tell fruit and thorns too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from mmfusion_plugin.synthetic import herbarium_organs as organs
from mmfusion_plugin.synthetic.herbarium_canvas import Colour, Stroke, tapered
from mmfusion_plugin.synthetic.herbarium_leaf import LeafKind, draw_kind, leaf

#: Binary traits, in the order of the table's columns.
TRAITS = ('thorns', 'lobed', 'fruit')
_GREENS = ((98, 100, 58), (82, 92, 54), (112, 106, 66), (120, 102, 60), (90, 82, 48), (74, 86, 62))
_STEMS = ((112, 88, 56), (94, 80, 52), (126, 104, 70), (88, 66, 48))


@dataclass(frozen=True)
class Difficulty:
    """How plainly the traits show, and how much else there is that resembles them.

    Attributes:
        depth: Bounds of the bays between lobes, as a share of the blade's width.
        thorn: Bounds of a thorn's length (mm).
        thorns: Bounds of their number on the main stem.
        fruit: Bounds of a fruit's radius (mm).
        fruits: Bounds of the number in a cluster.
        flowers: Probability of flowers, with or without fruits.
        toothed: Probability of a toothed margin, lobed or not.
        stubs: Probability of stalks without a blade, with or without thorns.
        leaves: Factor on the number of leaves, which hide what is behind them.
    """

    depth: Tuple[float, float]
    thorn: Tuple[float, float]
    thorns: Tuple[int, int]
    fruit: Tuple[float, float]
    fruits: Tuple[int, int]
    flowers: float
    toothed: float
    stubs: float
    leaves: float


DIFFICULTIES: Dict[str, Difficulty] = {
    'easy': Difficulty((0.5, 0.66), (8.0, 12.0), (18, 30), (3.4, 5.2), (8, 15), 0.0, 0.15, 0.0, 0.8),
    'medium': Difficulty((0.38, 0.58), (6.0, 9.5), (14, 24), (2.8, 4.4), (6, 12), 0.3, 0.4, 0.3, 1.0),
    'hard': Difficulty((0.24, 0.42), (3.5, 6.0), (8, 16), (2.0, 3.0), (4, 9), 0.6, 0.6, 0.6, 1.25),
}


class Plant(NamedTuple):
    """A drawn plant: its strokes from back to front, and places (2,) on stems where it can be strapped down, each with
    the stem's heading (rad)."""

    strokes: List[Stroke]
    straps: List[Tuple[np.ndarray, float]]


class _Axis(NamedTuple):
    """A stem or branch: points (N, 2), widths (N,), headings (N,), and its order, 0 being the main stem."""

    points: np.ndarray
    widths: np.ndarray
    headings: np.ndarray
    order: int

    @property
    def length(self) -> float:
        """From foot to tip (mm)."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    def at(self, place: float) -> Tuple[np.ndarray, float, float]:
        """Point, heading and width at a place 0..1 along it."""
        t = np.linspace(0, 1, len(self.points))
        columns = (self.points[:, 0], self.points[:, 1], self.headings, self.widths)
        x, y, heading, width = (float(np.interp(place, t, column)) for column in columns)
        return np.array([x, y]), heading, width


def grow(
    rng: np.random.Generator, traits: Dict[str, bool], size: Tuple[float, float], level: Difficulty,
    plain_fruit: bool = False,
) -> Plant:  # fmt: skip
    """A plant that fills most of a sheet. Of one state of ``rng`` plants of other traits differ in nothing else.

    Args:
        rng: Source of randomness.
        traits: Of ``TRAITS``.
        size: Width and height of the sheet (mm).
        level: Of ``DIFFICULTIES``.
        plain_fruit: Thorns have the colour of the stem, fruits and their stalks those of leaves, and flowers stay
            beside fruits, so that the outline alone tells each trait. Otherwise thorns have a shade and fruits a colour
            of their own, and fruits take the place of flowers.
    """
    width, height = size
    depth = rng.uniform(*level.depth)
    kind = draw_kind(rng, depth if traits['lobed'] else 0.0, level.toothed, _pick(rng, _GREENS))
    bark = _pick(rng, _STEMS)
    foot = np.array([width * rng.uniform(0.4, 0.56), height * rng.uniform(0.84, 0.91)])
    main = _axis(rng, foot, -np.pi / 2 + rng.normal(0, 0.08), height * rng.uniform(0.6, 0.72), 0)
    axes = [main, *_branches(rng, main)]
    blades = [stroke for axis in axes for stroke in _leaves(rng, axis, kind, level, bark, width)]
    wood = [Stroke(tapered(axis.points, axis.widths), bark) for axis in reversed(axes)]
    wood += [Stroke(axis.points + axis.widths[:, None] * [0.22, 0.1], tuple(0.72 * v for v in bark), 0.5, False)
             for axis in axes]  # fmt: skip
    tones = [stroke.colour for stroke in blades if stroke.outline and not stroke.width] if plain_fruit else []
    strokes = [*wood, *blades] if rng.random() < 0.5 else [*blades, *wood]
    if rng.random() < 0.3:
        strokes = organs.roots(rng, foot, bark) + strokes
    extras = np.random.default_rng(rng.integers(2**63))
    if traits['thorns']:
        thorns = _thorns(extras, axes, level, bark)
        strokes += [stroke._replace(colour=bark) if plain_fruit else stroke for stroke in thorns]
    if rng.random() < level.stubs:
        strokes = [*_stubs(rng, axes, bark), *strokes]
    straps = [main.at(place)[:2] for place in (0.08, rng.uniform(0.35, 0.55), rng.uniform(0.7, 0.85))]
    straps += [axis.at(rng.uniform(0.4, 0.7))[:2] for axis in axes[1:] if rng.random() < 0.5]
    return Plant([*strokes, *_tips(rng, axes, traits['fruit'], level, bark, tones)], straps)


def _pick(rng: np.random.Generator, colours: Tuple[Colour, ...]) -> Colour:
    return tuple(rng.uniform(0.92, 1.08) * value for value in colours[rng.integers(len(colours))])


def _axis(rng: np.random.Generator, foot: np.ndarray, heading: float, length: float, order: int) -> _Axis:
    count = 28
    lift = 0.0 if order == 0 else (-np.pi / 2 - heading) * rng.uniform(0.1, 0.6)  # branches bend upwards
    headings = heading + lift * np.linspace(0, 1, count) + np.cumsum(rng.normal(0, 0.045, count))
    steps = length / count * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    points = foot + np.concatenate([[[0.0, 0.0]], np.cumsum(steps[1:], axis=0)])
    thick = rng.uniform(3.2, 5.0) * 0.62**order
    return _Axis(points, np.linspace(thick, 1.1, count), headings, order)


def _branches(rng: np.random.Generator, main: _Axis) -> List[_Axis]:
    side, found = rng.choice([-1, 1]), []
    for place in np.sort(rng.uniform(0.12, 0.72, rng.integers(2, 6))):
        point, heading, _ = main.at(place)
        angle = heading + side * rng.uniform(0.5, 0.95)
        found.append(_axis(rng, point, angle, main.length * (1 - place) * rng.uniform(0.4, 0.68), 1))
        side = -side
    return found


def _leaves(
    rng: np.random.Generator, axis: _Axis, kind: LeafKind, level: Difficulty, bark: Colour, width: float
) -> List[Stroke]:
    full = width * (0.19 if kind.palmate else 0.25) * rng.uniform(0.7, 1.1) * 0.8**axis.order
    opposite, stalk = rng.random() < 0.35, rng.uniform(0.12, 0.32)
    count = max(int(level.leaves * axis.length / full / (0.95 if opposite else 0.5)), 3)
    side, strokes = rng.choice([-1, 1]), []
    for number in range(count):
        place = 0.2 + 0.76 * (number + rng.uniform(-0.25, 0.25)) / max(count - 1, 1)
        point, heading, _ = axis.at(min(place, 0.98))
        for sign in (-1, 1) if opposite else (side,):
            angle = heading + sign * (1.15 - 0.45 * place + rng.normal(0, 0.16))
            length = full * (1 - 0.5 * place**1.5) * rng.uniform(0.82, 1.12)
            strokes += _stalked(rng, kind, point, angle, length, stalk, bark)
        side = -side
    point, heading, _ = axis.at(1.0)
    return strokes + _stalked(rng, kind, point, heading + rng.normal(0, 0.2), 0.5 * full, 0.1, bark)


def _stalked(
    rng: np.random.Generator, kind: LeafKind, point: np.ndarray, angle: float, length: float, stalk: float,
    bark: Colour,
) -> List[Stroke]:  # fmt: skip
    end = point + stalk * length * np.array([np.cos(angle), np.sin(angle)])
    green = tuple(0.5 * (a + b) for a, b in zip(bark, kind.colour))
    droop = angle + rng.normal(0, 0.18)
    return [Stroke(np.stack([point, end]), green, 1.0), *leaf(rng, kind, end, droop, length)]


def _thorns(rng: np.random.Generator, axes: List[_Axis], level: Difficulty, bark: Colour) -> List[Stroke]:
    size, strokes = rng.uniform(*level.thorn), []
    number = int(rng.integers(level.thorns[0], level.thorns[1] + 1))
    for axis in axes:
        count = number if axis.order == 0 else max(int(number * axis.length / axes[0].length), 2)
        for place in (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count * 0.93 + 0.03:
            point, heading, width = axis.at(place)
            side = rng.choice([-1, 1])
            foot = point + 0.4 * width * side * np.array([-np.sin(heading), np.cos(heading)])
            turn = heading + side * rng.uniform(1.2, 1.7)
            strokes += organs.thorn(rng, foot, turn, size * rng.uniform(0.8, 1.15) * 0.88**axis.order, bark)
    return strokes


def _stubs(rng: np.random.Generator, axes: List[_Axis], bark: Colour) -> List[Stroke]:
    """Blunt stalks whose blades are lost."""
    strokes = []
    for _ in range(int(rng.integers(3, 8))):
        point, heading, _ = axes[rng.integers(len(axes))].at(rng.uniform(0.1, 0.8))
        angle = heading + rng.choice([-1, 1]) * rng.uniform(0.6, 1.1)
        end = point + rng.uniform(4.0, 9.0) * np.array([np.cos(angle), np.sin(angle)])
        strokes.append(Stroke(np.stack([point, end]), bark, 1.1))
    return strokes


def _tips(
    rng: np.random.Generator, axes: List[_Axis], fruit: bool, level: Difficulty, bark: Colour, tones: List[Colour]
) -> List[Stroke]:
    """Fruits or flowers at the ends of stems and in some axils; both, where fruits are to have one of ``tones``."""
    extras = np.random.default_rng(rng.integers(2**63))
    kind, size = organs.fruit_kind(extras), extras.uniform(*level.fruit)
    flowers, petals, strokes = rng.random() < level.flowers, int(rng.integers(15)), []
    for axis in axes:
        places = [1.0, *rng.uniform(0.45, 0.9, rng.integers(0, 3) if axis.order == 0 else 0)]
        for place in places:
            point, heading, _ = axis.at(place)
            turn = heading + (0.0 if place == 1.0 else rng.choice([-1, 1]) * rng.uniform(0.4, 0.8))
            bears = fruit and (axis.order == 0 or extras.random() < 0.6)
            if bears:
                count = int(extras.integers(level.fruits[0], level.fruits[1] + 1))
                cluster = organs.infructescence(extras, kind, point, turn, size, count, bark)
                strokes += _toned(extras, cluster, tones) if tones else cluster
            if flowers and (tones or not bears) and rng.random() < 0.7:
                strokes += organs.flower(rng, point + rng.normal(0, 3, 2), turn, rng.uniform(4.0, 7.5), petals)
    return strokes


def _toned(rng: np.random.Generator, strokes: List[Stroke], tones: List[Colour]) -> List[Stroke]:
    """Strokes in colours of others; without lights and seams, which would be colours of their own."""
    return [stroke._replace(colour=tones[rng.integers(len(tones))]) for stroke in strokes if stroke.outline]
