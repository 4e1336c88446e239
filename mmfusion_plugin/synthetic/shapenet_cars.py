"""Cars: x forward, z up, metres. Each draws a dozen parameters and more."""

from __future__ import annotations

from typing import List, Tuple

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
    mirrored,
    rod,
    shaded,
)

# Length, height, where the bonnet ends and the roof begins and ends (shares of the length from the front), belt height.
_CARS = {
    'saloon': (4.7, 1.45, 0.28, 0.43, 0.72, 0.88, 0.62), 'hatchback': (4.0, 1.52, 0.25, 0.4, 0.86, 0.98, 0.6),
    'estate': (4.7, 1.55, 0.26, 0.4, 0.93, 0.99, 0.6), 'suv': (4.6, 1.8, 0.25, 0.37, 0.93, 0.98, 0.6),
    'van': (5.0, 2.1, 0.12, 0.26, 0.97, 0.99, 0.55), 'coupe': (4.4, 1.3, 0.34, 0.5, 0.64, 0.93, 0.64),
    'pickup': (5.3, 1.8, 0.25, 0.37, 0.56, 0.6, 0.57), 'roadster': (4.0, 1.2, 0.4, 0.0, 0.0, 0.0, 0.75),
}  # fmt: skip


def car(dice: Dice) -> List[Mesh]:
    """Saloon, hatchback, estate, SUV, van, coupe, pickup or roadster."""
    kind = dice.pick(*_CARS)
    long, high, bonnet, roof_front, roof_back, tail, belt = _CARS[kind]
    long, high, wide = long * dice(0.92, 1.08), high * dice(0.93, 1.08), dice(1.65, 2.0)
    wheel, clear, paint = high * dice(0.2, 0.25), high * dice(0.1, 0.16), dice.colour(PAINTS)
    front, belt = long / 2, belt * high
    nose, rear, tuck = belt * dice(0.62, 0.9), belt * dice(0.85, 1.0), dice(0.9, 0.98)
    slant, narrow = dice(-0.03, 0.03), dice(0.68, 0.86)
    hood = front - bonnet * long
    deck = 0.62 * belt if kind == 'pickup' else rear
    back = front - (tail if kind == 'pickup' else 1.0) * long
    lower = [(front - 0.1, clear), (front, 0.4 * belt), (front - 0.12, nose), (hood, belt),
             (back + 0.02, rear if kind != 'pickup' else belt), (back, 0.4 * belt), (back + 0.08, clear)]  # fmt: skip
    body = hull([(x, s * wide / 2 * (tuck if z > 0.5 * belt else 1.0), z) for x, z in lower for s in (-1, 1)], paint)
    parts = [body]
    if kind == 'pickup':
        parts += _bed(back, -front, wide, clear, deck, paint)
    if kind == 'roadster':
        parts += _open_top(dice, hood, belt, wide, high, paint)
    else:
        edges = (hood, front - (roof_front + slant) * long, front - roof_back * long, front - tail * long)
        parts += _cabin(dice, edges, (belt, high), (tuck * wide / 2, narrow * wide / 2), paint)
    axles = (front - dice(0.17, 0.21) * long, dice(0.17, 0.22) * long - front)
    for x in axles:
        y, rim = wide / 2 - 0.2, dice.colour(METALS)
        parts += mirrored([rod((x, y, wheel), (x, wide / 2 + 0.02, wheel), wheel, BLACK, sides=20),
                           rod((x, y, wheel), (x, wide / 2 + 0.03, wheel), 0.6 * wheel, rim, sides=12)])  # fmt: skip
    lamp, level = dice(0.2, 0.42), 0.75 * nose
    parts += mirrored([block((front - 0.06, wide / 2 - 0.12 - lamp / 2, level), (0.12, lamp, dice(0.1, 0.2)), WHITE),
                       block((-front + 0.03, wide / 2 - 0.2, 0.8 * deck), (0.08, 0.25, 0.14), (0.7, 0.05, 0.05)),
                       block((hood - 0.2, wide / 2 + 0.06, belt + 0.06), (0.12, 0.2, 0.13), paint)])  # fmt: skip
    if kind in ('coupe', 'saloon') and dice.chance(0.3):
        level = rear + dice(0.08, 0.25)
        parts += [block((-front + 0.15, 0, level), (0.25, 0.85 * wide, 0.04), paint),
                  *mirrored([block((-front + 0.15, 0.3 * wide, level - 0.12), (0.1, 0.04, 0.26), paint)])]  # fmt: skip
    return parts


def _cabin(
    dice: Dice, edges: Tuple[float, ...], levels: Tuple[float, float], halves: Tuple[float, float], paint: Colour
) -> List[Mesh]:
    """Glass, roof and pillars.

    Args:
        dice: Draws what is left open.
        edges: x of the windscreen's foot and top and of the rear window's top and foot.
        levels: Heights of belt and roof.
        halves: Half widths there.
        paint: Of roof and pillars.
    """
    (foot, top, end, rear), (belt, high), (low, up) = edges, levels, halves
    ring = [
        (x, s * y, z)
        for x, y, z in (
            (foot, 0.97 * low, belt),
            (rear, 0.97 * low, belt),
            (top, up, high - 0.06),
            (end, up, high - 0.06),
        )
        for s in (-1, 1)
    ]
    parts = [hull(ring, GLASS)]
    crown = [(x, s * y, z) for x, y, z in ((top + 0.02, 1.01 * up, high - 0.07), (end - 0.02, 1.01 * up, high - 0.07),
                                           (top - 0.15, 0.85 * up, high), (end + 0.1, 0.85 * up, high))
             for s in (-1, 1)]  # fmt: skip
    parts.append(hull(crown, paint))
    pillars = [rod((foot, 0.97 * low, belt), (top, up, high - 0.05), 0.04, paint, sides=6),
               rod((rear, 0.97 * low, belt), (end, up, high - 0.05), 0.07, paint, sides=6)]  # fmt: skip
    middle = (top + end) / 2
    pillars.append(rod((middle, 0.97 * low, belt), (middle, up, high - 0.05), 0.05, paint, sides=6))
    if dice.chance(0.25):
        pillars.append(
            rod((top - 0.1, 0.8 * up, high + 0.06), (end + 0.1, 0.8 * up, high + 0.06), 0.025, BLACK, sides=6)
        )
        pillars.append(block((middle, 0.8 * up, high + 0.02), (0.05, 0.04, 0.08), BLACK))
    return parts + mirrored(pillars)


def _bed(front: float, back: float, wide: float, low: float, high: float, paint: Colour) -> List[Mesh]:
    """The open box of a pickup."""
    middle, long, wall = (front + back) / 2, front - back + 0.1, 1.25 * high
    floor = low + 0.3 * high
    sides = mirrored([block((middle, wide / 2 - 0.05, (low + wall) / 2), (long, 0.1, wall - low), paint)])
    return [block((middle, 0, (low + floor) / 2), (long, wide - 0.05, floor - low), shaded(paint, 0.5)), *sides,
            block((back + 0.04, 0, (low + wall) / 2), (0.08, wide, wall - low), paint)]  # fmt: skip


def _open_top(dice: Dice, hood: float, belt: float, wide: float, high: float, paint: Colour) -> List[Mesh]:
    """A windscreen, two seats and a rear deck."""
    leather, top, lean = dice.colour(WOODS), high + dice(0.0, 0.1), dice(0.15, 0.35)
    screen = [(x, s * 0.44 * wide, z) for x, z in ((hood, belt), (hood - 0.05, belt), (hood - lean, top),
                                                   (hood - lean - 0.04, top)) for s in (-1, 1)]  # fmt: skip
    seat = [block((hood - 1.1, 0.22 * wide, belt + 0.1), (0.16, 0.28 * wide, 0.4), leather),
            block((hood - 0.7, 0.22 * wide, belt), (0.8, 0.28 * wide, 0.06), shaded(leather, 0.5))]  # fmt: skip
    return [hull(screen, GLASS), *mirrored(seat)]
