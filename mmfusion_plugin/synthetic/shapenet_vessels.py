"""Vessels: x forward, z up, 10 units long. Each draws a dozen parameters and more."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_solids import (
    BLACK,
    GLASS,
    METALS,
    PAINTS,
    WHITE,
    WOODS,
    Colour,
    Dice,
    block,
    hull,
    loft,
    mirrored,
    oval,
    plate,
    rod,
    shaded,
)


def vessel(dice: Dice) -> List[Mesh]:
    """A sailing boat, a motor yacht, a tug, a cargo ship, a cruise ship or a warship."""
    kind = dice.pick('sail', 'yacht', 'tug', 'cargo', 'cruise', 'warship')
    ratio = {'sail': dice(2.8, 3.8), 'yacht': dice(3.2, 4.2), 'tug': dice(2.4, 3.2)}.get(kind, dice(5.5, 8.0))
    long, wide = 10.0, 10.0 / ratio
    high = wide * (dice(0.3, 0.45) if kind in ('sail', 'yacht') else dice(0.4, 0.6))
    paint = dice.colour(METALS[:2]) if kind == 'warship' else dice.colour(PAINTS)
    parts = _hull(dice, long, wide, high, paint)
    upper = {'sail': _sails, 'yacht': _yacht, 'tug': _tug, 'cargo': _cargo, 'cruise': _cruise, 'warship': _warship}[
        kind
    ]
    return parts + upper(dice, long, wide, high, paint)


def _hull(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    """A hull with its deck at about z = 0 and its keel at -``high``; the bow points along x."""
    bow, stern, keel = dice(0.25, 0.5), dice(0.55, 1.0), dice(0.25, 0.75)
    sheer, rake = dice(0.1, 0.5) * high, dice(0.02, 0.1) * long
    sections = []
    for share in np.linspace(0, 1, 9):
        half = wide / 2 * min(1.0, ((1 - share) / bow) ** 0.65, stern + (1 - stern) * share / 0.3)
        half = max(half, 0.01 * wide)
        deck, x = sheer * max(0.0, 2 * share - 1) ** 2, (share - 0.5) * long
        low = x - rake * share**2 + (0.02 * long if share == 0 else 0.0)
        sections.append(
            np.array([(x, -half, deck), (x, half, deck), (low, -keel * half, -high), (low, keel * half, -high)])
        )
    return loft(sections, paint)


def _house(x: float, size: Tuple[float, float, float], low: float, colour: Colour, slant: float = 0.1) -> List[Mesh]:
    """A deckhouse with a band of windows; its front leans back by ``slant`` of its height."""
    long, wide, high = size
    ring = [(x + e * long / 2 - (slant * high if e > 0 and top else 0), s * wide / 2 * (0.94 if top else 1.0),
             low + high * top) for e in (-1, 1) for s in (-1, 1) for top in (0, 1)]  # fmt: skip
    return [
        hull(ring, colour),
        block((x - 0.3 * slant * high, 0, low + 0.62 * high), (1.01 * long, 1.005 * wide, 0.22 * high), GLASS),
    ]


def _sails(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    mast, tall, boom = dice(0.02, 0.14) * long, dice(0.95, 1.35) * long, dice(0.3, 0.48) * long
    cloth, level, wood = dice.pick(WHITE, dice.colour(PAINTS)), dice(0.08, 0.14) * long, dice.colour(WOODS)
    belly = dice(-0.05, 0.05) * long
    parts = [
        rod((mast, 0, -0.1), (mast, 0, tall), 0.012 * long, wood, 0.6),
        rod((mast, 0, level), (mast - boom, belly, level), 0.1, wood),
    ]
    main = [(mast - 0.05, y, z) for y in (-0.03, 0.03) for z in (level, 0.97 * tall)] + [(mast - boom, belly, level)]
    parts.append(hull(main, cloth))
    if dice.chance(0.8):
        jib = [(0.47 * long, y, 0.15 * high + 0.2) for y in (-0.03, 0.03)]
        jib += [(mast + 0.1, 0, dice(0.65, 0.95) * tall), (mast + dice(-0.08, 0.1) * long, -1.5 * belly, level)]
        parts.append(hull(jib, shaded(cloth, 0.93)))
    if dice.chance(0.7):
        parts += _house(mast - 0.12 * long, (dice(0.2, 0.34) * long, 0.55 * wide, dice(0.3, 0.5)), -0.02, WHITE)
    return [*parts, block((-0.05 * long, 0, -1.3 * high), (0.18 * long, 0.08, 0.9 * high), shaded(paint, 0.6))]


def _yacht(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    size, place = dice(0.4, 0.6) * long, dice(-0.1, 0.02) * long
    tall = dice(0.25, 0.4) * wide
    parts = _house(place, (size, 0.8 * wide, tall), -0.03, WHITE, dice(0.6, 1.6))
    if dice.chance(0.7):
        parts += _house(
            place - 0.08 * long, (dice(0.4, 0.7) * size, 0.65 * wide, 0.8 * tall), tall - 0.05, WHITE, dice(0.4, 1.4)
        )
    top = tall + dice(0.3, 1.0)
    parts.append(rod((place - 0.2 * size, 0, tall - 0.1), (place - 0.26 * size, 0, top + tall), 0.06, WHITE, 0.5))
    rail = [rod((0.1 * long, 0.42 * wide, 0.25), (0.42 * long, 0.1 * wide, 0.5), 0.03, METALS[0], sides=6)]
    return parts + mirrored(rail)


def _tug(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    place, tall, colour = dice(0.02, 0.2) * long, dice(0.35, 0.5) * wide, dice.pick(WHITE, dice.colour(PAINTS))
    parts = _house(place, (dice(0.2, 0.3) * long, 0.6 * wide, tall), -0.05, colour, 0.05)
    parts += _house(place + 0.02 * long, (0.14 * long, 0.5 * wide, 0.7 * tall), tall - 0.05, colour, -0.1)
    stack = place - dice(0.12, 0.18) * long
    for y in dice.pick((0.0,), (-0.2 * wide, 0.2 * wide)):
        parts.append(rod((stack, y, -0.05), (stack - 0.1, y, dice(1.2, 1.8) * tall), 0.09 * wide, dice.colour(PAINTS)))
    parts.append(rod((place, 0, tall), (place - 0.1, 0, dice(2.4, 3.2) * tall), 0.06, METALS[1], 0.5))
    return [*parts, block((-0.3 * long, 0, 0.15), (0.1 * long, 0.2 * wide, 0.35), BLACK)]


def _cargo(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    place, tall = -dice(0.32, 0.4) * long, dice(0.9, 1.4) * wide
    parts = _house(place, (0.09 * long, 0.9 * wide, tall), -0.05, WHITE, 0.02)
    parts.append(
        rod((place - 0.06 * long, 0, 0), (place - 0.06 * long, 0, 0.9 * tall), 0.14 * wide, dice.colour(PAINTS))
    )
    if dice.chance(0.7):
        columns, rows = dice.count(4, 8), dice.count(2, 4)
        step = (0.36 * long - place - 0.08 * long) / columns
        for i in range(columns):
            for j in range(rows):
                tiers = dice.count(0, 4)
                y = ((j + 0.5) / rows - 0.5) * 0.8 * wide * (0.75 if i == columns - 1 else 1.0)
                x, size = place + 0.07 * long + (i + 0.5) * step, 0.14 * wide
                if tiers:
                    box = (0.92 * step, 0.76 * wide / rows, tiers * size)
                    parts.append(block((x, y, tiers * size / 2 - 0.02), box, dice.colour(PAINTS)))
        return parts
    for i in range(dice.count(2, 4)):
        x = place + (0.16 + 0.15 * i) * long
        parts += [block((x, 0, 0.1), (0.11 * long, 0.6 * wide, 0.25), shaded(paint, 0.7)),
                  rod((x + 0.07 * long, 0, 0), (x + 0.07 * long, 0, 0.8 * wide), 0.07, METALS[3]),
                  rod((x + 0.07 * long, 0, 0.2), (x - 0.02 * long, 0, 0.7 * wide), 0.05, METALS[3])]  # fmt: skip
    return parts


def _cruise(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    decks, level, step = dice.count(3, 6), -0.03, dice(0.14, 0.2) * wide
    size, place, shrink = dice(0.68, 0.8) * long, -0.04 * long, dice(0.86, 0.96)
    parts = []
    for _ in range(decks):
        parts += _house(place, (size, 0.92 * wide, step), level, WHITE, dice(0.2, 1.0))
        level, size, place = level + 0.97 * step, size * shrink, place - dice(0.0, 0.015) * long
    funnels, colour = dice.count(1, 3), dice.colour(PAINTS)
    for i in range(funnels):
        x, tall = place + (i - funnels / 2) * 0.12 * long, dice(0.4, 0.6) * wide
        outline = oval(0.04 * long, 0.18 * wide, 12) + [x, 0]
        parts.append(plate(outline, level - 0.05, level + tall, colour))
    return parts


def _warship(dice: Dice, long: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    grey, tall = shaded(paint, 1.1), dice(0.35, 0.55) * wide
    size, place = dice(0.3, 0.45) * long, dice(-0.06, 0.04) * long
    parts = _house(place, (size, 0.75 * wide, tall), -0.04, grey, 0.3)
    parts += _house(place + 0.28 * size, (0.3 * size, 0.6 * wide, tall), tall - 0.05, grey, 0.3)
    mast = dice(2.2, 3.4) * tall
    parts += [rod((place, 0, tall - 0.1), (place, 0, tall + mast), 0.14, grey, 0.3, 6),
              block((place, 0, tall + 0.6 * mast), (0.12, 0.5 * wide, 0.08), grey)]  # fmt: skip
    for i in range(dice.count(1, 2)):
        x = place - (0.12 + 0.2 * i) * size
        parts.append(
            block((x - 0.1 * size, 0, tall + 0.2 * wide), (0.1 * size, 0.3 * wide, 0.5 * wide), shaded(grey, 0.8))
        )
    guns, barrel = [0.3 * long] + dice.pick([], [0.22 * long], [-0.34 * long]), dice(0.08, 0.13) * long
    for x in guns:
        sign = 1 if x > 0 else -1
        parts += [
            block((x, 0, 0.16), (0.06 * long, 0.3 * wide, 0.24), grey),
            *mirrored([rod((x, 0.06 * wide, 0.2), (x + sign * barrel, 0.06 * wide, 0.36), 0.05, shaded(grey, 0.7))]),
        ]
    return parts
