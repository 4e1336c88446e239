"""Aeroplanes: x forward, z up, metres. Each draws a dozen parameters and more."""

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
    Colour,
    Dice,
    blade,
    block,
    hull,
    loft,
    mirrored,
    oval,
    rod,
    shaded,
)


def airplane(dice: Dice) -> List[Mesh]:
    """An airliner, a fighter or a propeller aeroplane."""
    return dice.pick(_airliner, _airliner, _fighter, _propeller)(dice)


def _fuselage(
    stations: List[Tuple[float, float, float]], colour: Colour, flat: float = 1.0, sides: int = 14
) -> List[Mesh]:
    """Rings at (x, radius, z); ``flat`` is their height over their width."""
    ring = oval(1.0, 1.0, sides)
    sections = [np.column_stack([np.full(sides, x), radius * ring[:, 0], z + flat * radius * ring[:, 1]])
                for x, radius, z in stations]  # fmt: skip
    return loft(sections, colour)


def _tail(dice: Dice, x: float, z: float, size: float, colour: Colour, high: bool) -> List[Mesh]:
    """A fin of height ``size`` with a tailplane at its foot or, if ``high``, on its top."""
    sweep, chord = dice(0.4, 0.9) * size, dice(0.7, 1.1) * size
    parts = [blade((x, 0, z), (x - sweep, 0, z + size), (chord, dice(0.4, 0.7) * chord), 0.1, 1, colour)]
    root = (x - sweep, 0.0, z + 0.97 * size) if high else (x - 0.1 * size, 0.0, z)
    half, back = dice(0.9, 1.4) * size, dice(0.2, 0.8) * size
    tip = (root[0] - back, half, root[2] + dice(-0.05, 0.15) * size)
    return parts + mirrored([blade(root, tip, (0.75 * chord, 0.4 * chord), 0.08, 2, colour)])


def _airliner(dice: Dice) -> List[Mesh]:
    long, radius, body = dice(28, 60), dice(1.7, 3.0), dice.pick(WHITE, dice.colour(PAINTS))
    span, chord, sweep = dice(0.38, 0.58) * long, dice(0.16, 0.24) * long, dice(0.12, 0.3) * long
    high, tee, trim = dice.chance(0.25), dice.chance(0.3), dice.colour(PAINTS)
    front, lift, rise = long / 2, 0.7 * radius, dice(0.02, 0.14)
    stations = [(front, 0.15 * radius, -0.3 * radius), (front - 0.5 * radius, 0.55 * radius, -0.25 * radius),
                (front - 1.6 * radius, 0.9 * radius, -0.08 * radius), (front - 3 * radius, radius, 0.0),
                (-0.2 * long, radius, 0.0), (-0.36 * long, 0.7 * radius, 0.4 * lift),
                (-front, 0.15 * radius, 1.1 * lift)]  # fmt: skip
    parts = _fuselage(stations, body)
    place, level = dice(0.04, 0.16) * long, (0.8 if high else -0.55) * radius
    tip = (place - sweep, span, level + span * (rise if not high else -0.03))
    wing = [blade((place, 0, level), tip, (chord, dice(0.2, 0.45) * chord), 0.1, 2, shaded(body, 0.9))]
    size = dice(0.32, 0.5) * radius
    if tee or dice.chance(0.15):
        x = -0.24 * long
        wing.append(
            rod(
                (x + 2.5 * size, radius + 0.9 * size, 0.3 * radius),
                (x - 2.5 * size, radius + 0.9 * size, 0.3 * radius),
                size,
                trim,
                0.7,
                14,
            )
        )
        wing.append(block((x, radius, 0.3 * radius), (3 * size, 1.2 * size, 0.3 * size), body))
    else:
        for share in dice.pick((0.33,), (0.33,), (0.28, 0.56)):
            x, y = place - share * sweep, share * span
            z = level + share * (tip[2] - level) - 1.25 * size
            wing.append(rod((x + 2.2 * size, y, z), (x - 2.6 * size, y, z), size, trim, 0.65, 14))
            wing.append(block((x - 1.5 * size, y, z + size), (3 * size, 0.25 * size, 1.2 * size), body))
    parts += mirrored(wing)
    parts += mirrored(
        [block((front - 1.5 * radius, 0.4 * radius, 0.5 * radius), (0.5 * radius, 0.5 * radius, 0.3 * radius), GLASS)]
    )
    return parts + _tail(dice, -0.36 * long, lift, dice(0.1, 0.16) * long, trim, tee)


def _fighter(dice: Dice) -> List[Mesh]:
    long, radius, body = dice(13, 20), dice(0.75, 1.1), dice.colour(METALS[:2] + PAINTS[1:3])
    front, half, delta = long / 2, dice(0.28, 0.4) * long, dice.chance(0.4)
    stations = [
        (front, 0.06 * radius, -0.1),
        (front - 0.14 * long, 0.5 * radius, -0.05),
        (front - 0.34 * long, radius, 0.0),
        (-0.3 * long, 1.1 * radius, 0.0),
        (-front, 0.75 * radius, 0.05),
    ]
    parts = _fuselage(stations, body, dice(0.7, 1.0), 10)
    chord = dice(0.42, 0.55) * long if delta else dice(0.22, 0.32) * long
    place, sweep = (0.12 * long, dice(0.3, 0.42) * long) if delta else (0.08 * long, dice(0.08, 0.22) * long)
    tip = (place - sweep, half, dice(-0.3, 0.1))
    wing = [blade((place, 0, 0), tip, (chord, dice(0.1, 0.3) * chord), 0.05, 2, shaded(body, 0.92))]
    wing.append(
        block((front - 0.42 * long, 1.05 * radius, -0.1), (0.26 * long, 0.5 * radius, 0.9 * radius), shaded(body, 0.85))
    )
    if dice.chance(0.6):
        share = dice(0.4, 0.9)
        x, y = place - share * sweep - 0.3, share * half
        wing.append(rod((x + 0.8, y, share * tip[2] - 0.28), (x - 1.6, y, share * tip[2] - 0.28), 0.13, WHITE, sides=8))
    high, lean = dice(0.13, 0.2) * long, dice.pick(0.0, dice(0.1, 0.5))
    if lean or dice.chance(0.4):
        root = (-0.25 * long, 0.8 * radius, 0.5 * radius)
        wing.append(
            blade(root, (root[0] - 0.6 * high, root[1] + lean * high, high), (0.8 * high, 0.4 * high), 0.06, 1, body)
        )
    else:
        root = (-0.22 * long, 0.0, 0.6 * radius)
        parts.append(blade(root, (root[0] - 0.8 * high, 0, 1.2 * high), (1.2 * high, 0.5 * high), 0.06, 1, body))
    if not delta:
        tail = (-0.34 * long, 0.0, 0.05)
        wing.append(
            blade(tail, (tail[0] - 0.08 * long, 0.45 * half + radius, 0.0), (0.12 * long, 0.06 * long), 0.06, 2, body)
        )
    elif dice.chance(0.5):
        wing.append(
            blade(
                (0.26 * long, 0, 0.3),
                (0.2 * long, 0.35 * half + radius, 0.35),
                (0.09 * long, 0.04 * long),
                0.06,
                2,
                body,
            )
        )
    canopy = [
        (front - 0.2 * long, 0.3 * radius, 0.45 * radius),
        (front - 0.28 * long, 0.5 * radius, 0.75 * radius),
        (front - 0.42 * long, 0.3 * radius, 0.8 * radius),
    ]
    return parts + mirrored(wing) + _fuselage(canopy, GLASS, 1.0, 8)


def _propeller(dice: Dice) -> List[Mesh]:
    long, radius, body = dice(6.5, 10), dice(0.5, 0.75), dice.colour(PAINTS)
    half, chord, trim = dice(0.5, 0.75) * long, dice(0.17, 0.24) * long, dice.colour(PAINTS)
    front, high, rise = long / 2, dice.pick(-0.8, 0.9, 1.3) * radius, dice(0.0, 0.08)
    stations = [(front, 0.55 * radius, 0.0), (front - 0.4, 0.9 * radius, 0.0), (0.1 * long, 1.1 * radius, 0.05),
                (-0.15 * long, 0.85 * radius, 0.1), (-front, 0.15 * radius, 0.3)]  # fmt: skip
    parts = _fuselage(stations, body, dice(1.0, 1.3), 12)
    place = dice(0.15, 0.24) * long
    tip = (place - dice(0.0, 0.4) * chord, half, high + rise * half)
    parts += mirrored([blade((place, 0, high), tip, (chord, dice(0.5, 1.0) * chord), 0.13, 2, trim)])
    if dice.chance(0.25):
        parts += mirrored(
            [
                blade(
                    (place, 0, high + 2.0 * radius),
                    (place, 0.9 * half, high + 2 * radius),
                    (chord, 0.8 * chord),
                    0.12,
                    2,
                    trim,
                ),
                rod(
                    (place - 0.4 * chord, 0.6 * half, high),
                    (place - 0.4 * chord, 0.6 * half, high + 2 * radius),
                    0.04,
                    BLACK,
                ),
            ]
        )
    cabin = [(place + 0.1, s * 0.8 * radius, z) for s in (-1, 1) for z in (0.6 * radius,)]
    cabin += [(x, s * 0.6 * radius, 1.75 * radius) for s in (-1, 1) for x in (place - 0.35, place - 1.0)]
    cabin += [(place - 2.0, s * 0.5 * radius, 0.7 * radius) for s in (-1, 1)]
    parts.append(hull(cabin, GLASS))
    reach, blades = dice(0.8, 1.1), dice.count(2, 4)
    parts.append(rod((front - 0.05, 0, 0), (front + 0.3, 0, 0), 0.22, trim, 0.3))
    for angle in np.arange(blades) * 2 * np.pi / blades + dice(0, 3):
        parts.append(
            rod((front + 0.1, 0, 0), (front + 0.1, reach * np.cos(angle), reach * np.sin(angle)), 0.07, BLACK, 0.6, 6)
        )
    if dice.chance(0.8):
        y, z, wheel = dice(0.8, 1.4), -dice(1.2, 1.6), dice(0.2, 0.32)
        gear = [
            rod((place - 0.3, 0.4, -0.3), (place - 0.2, y, z), 0.06, METALS[1]),
            rod((place - 0.2, y - 0.08, z), (place - 0.2, y + 0.08, z), wheel, BLACK, sides=14),
        ]
        parts += mirrored(gear)
    return parts + _tail(dice, -0.36 * long, 0.25, dice(0.13, 0.19) * long, trim, False)
