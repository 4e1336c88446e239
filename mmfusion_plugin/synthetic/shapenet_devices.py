"""Monitors, loudspeakers, telephones and rifles: x forward, z up. Each shape draws a dozen parameters and more."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_solids import (
    BLACK,
    CLOTHS,
    METALS,
    PAINTS,
    WHITE,
    WOODS,
    Dice,
    block,
    hull,
    mirrored,
    oval,
    plate,
    post,
    rod,
    shaded,
    tilted,
)

_SCREEN = (0.2, 0.32, 0.42)


def monitor(dice: Dice) -> List[Mesh]:
    """A flat or tube display, wide or not, on a neck, two feet, a bar or the wall; leaning back a little."""
    wide, shape, thick = dice(0.4, 1.2), dice.pick(4 / 3, 16 / 10, 16 / 9, 21 / 9), dice(0.02, 0.08)
    high, rim, case = wide / shape, dice(0.008, 0.05), dice.pick(BLACK, dice.colour(METALS), WHITE)
    gap, foot, lean = dice(0.03, 0.16), dice(0.2, 0.6) * wide, dice(0, 12)
    chin = dice.pick(0.0, dice(0.02, 0.07))
    low, middle = gap + chin, gap + chin + high / 2
    face = [
        block((0, 0, gap + (high + chin) / 2), (thick, wide, high + chin), case),
        block((thick / 2, 0, middle), (0.006, wide - 2 * rim, high - 2 * rim), dice.pick(_SCREEN, BLACK)),
    ]
    if dice.chance(0.25):
        depth, end = dice(0.2, 0.4) * wide, dice(0.4, 0.7)
        corners = [(x, s * share * wide / 2, middle + t * share * high / 2)
                   for x, share in ((0.0, 0.96), (-depth, end)) for s in (-1, 1) for t in (-1, 1)]  # fmt: skip
        face.append(hull(corners, shaded(case, 0.9)))
    else:
        bulge = dice(0.3, 0.8)
        face.append(block((-thick, 0, middle), (thick, bulge * wide, bulge * high), shaded(case, 0.8)))
    if dice.chance(0.2):
        face += mirrored([block((0, wide / 2 + 0.05, middle), (thick, 0.08, high), shaded(case, 0.7))])
    parts = tilted(face, lean, 0.0, low)
    stand, deep, metal = dice.pick('neck', 'neck', 'neck', 'feet', 'bar', 'wall'), dice(0.14, 0.28), dice.colour(METALS)
    if stand == 'neck':
        outline = oval(deep / 2, foot / 2) if dice.chance(0.5) else oval(0.7 * deep, 0.7 * foot, 4)
        neck = dice(0.03, 0.1)
        parts += [plate(outline, 0, dice(0.01, 0.025), metal),
                  block((-1.3 * thick, 0, middle / 2), (0.03, neck, middle), metal)]  # fmt: skip
    elif stand == 'feet':
        parts += mirrored([post((deep / 2, 0.35 * wide, 0), (0, 0.35 * wide, low), 0.02, metal),
                           post((-deep / 2, 0.35 * wide, 0), (0, 0.35 * wide, low), 0.02, metal)])  # fmt: skip
    elif stand == 'bar':
        parts += [block((0, 0, 0.015), (deep, 0.7 * wide, 0.03), metal),
                  block((-thick / 2, 0, low / 2), (0.02, 0.5 * wide, low), metal)]  # fmt: skip
    return parts


def loudspeaker(dice: Dice) -> List[Mesh]:
    """A box with one to four cones, tall or flat, upright or tapered, on the floor, feet or a stand."""
    wide, deep, high = dice(0.16, 0.4), dice(0.16, 0.4), dice.pick(dice(0.25, 0.5), dice(0.8, 1.2))
    case, cone = dice.colour(dice.pick(WOODS, (BLACK,), METALS)), dice.pick(BLACK, dice.colour(CLOTHS))
    drivers, taper, skew = dice.count(1, 4), dice(0.7, 1.0), dice(-0.05, 0.05)
    foot = dice.pick(0.0, 0.0, dice(0.03, 0.08), dice(0.3, 0.8) if high < 0.6 else 0.0)
    corners = [(s * deep / 2 * share + move, t * wide / 2 * share, z)
               for z, share, move in ((foot, 1.0, 0.0), (foot + high, taper, skew))
               for s in (-1, 1) for t in (-1, 1)]  # fmt: skip
    parts = [hull(corners, case)]
    sizes = np.sort([dice(0.4, 1.0) for _ in range(drivers)])[::-1]
    step, low = 0.92 * high / sizes.sum(), foot + 0.04 * high
    for size in sizes:
        share = (low + size * step / 2 - foot) / high
        half = deep / 2 * (1 - (1 - taper) * share)
        radius = min(0.44 * size * step, 0.43 * wide * (1 - (1 - taper) * share))
        x, z = half + skew * share, low + size * step / 2
        parts += [rod((x - 0.02, 0, z), (x + 0.015, 0, z), radius, shaded(case, 0.6), sides=20),
                  rod((x, 0, z), (x + 0.022, 0, z), 0.8 * radius, cone, 0.7, 20)]  # fmt: skip
        low += size * step
    if foot > 0.2:
        parts += [rod((0, 0, 0), (0, 0, foot), 0.025, dice.colour(METALS)),
                  block((0, 0, 0.01), (deep, wide, 0.02), dice.colour(METALS))]  # fmt: skip
    elif foot:
        parts += mirrored(
            [
                rod((s * 0.35 * deep, 0.35 * wide, 0), (s * 0.35 * deep, 0.35 * wide, foot + 0.01), 0.02, BLACK)
                for s in (-1, 1)
            ]
        )
    return parts


def telephone(dice: Dice) -> List[Mesh]:
    """A mobile telephone standing upright, its screen in front: a slab, with keys, open like a shell, or sliding."""
    wide, high, thick = dice(0.045, 0.08), dice(0.095, 0.16), dice(0.008, 0.022)
    case, kind, rim = (
        dice.colour(dice.pick(PAINTS, METALS)),
        dice.pick('slab', 'keys', 'keys', 'shell', 'slide'),
        dice(0.02, 0.1),
    )
    key = dice.pick(WHITE, BLACK, shaded(case, 1.25))
    corner = dice(0.03, 0.25) * wide
    edge = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    outline = np.concatenate([edge * (wide / 2 - corner, high / 2), edge * (wide / 2, high / 2 - corner)])

    def body(middle: float, share: float, front: float) -> Mesh:
        """A slab with cut corners that is ``share`` of the telephone high."""
        points = [(x, y, middle + share * z) for y, z in outline for x in (front - thick, front)]
        return hull(points, case)

    def display(low: float, top: float, front: float) -> Mesh:
        """The screen between two heights."""
        return block((front, 0, (low + top) / 2), (0.002, wide * (1 - rim) - 0.004, top - low), _SCREEN)

    if kind == 'slab':
        edge_width = dice(0.03, 0.14) * high
        parts = [body(high / 2, 1.0, 0.0), display(edge_width, high - 0.7 * edge_width, 0.0)]
        parts.append(rod((0, 0, edge_width / 2), (0.002, 0, edge_width / 2), 0.3 * min(edge_width, wide / 4), key))
        return parts
    split = high * (dice(0.45, 0.6) if kind == 'keys' else 0.5)
    if kind == 'keys':
        parts = [body(high / 2, 1.0, 0.0), display(split, 0.94 * high, 0.0)]
        if dice.chance(0.5):
            tall = dice(0.01, 0.05)
            parts.append(
                rod((-thick / 2, 0.36 * wide, high - 0.01), (-thick / 2, 0.36 * wide, high + tall), 0.004, case)
            )
    else:
        lid = [body(0.75 * high, 0.5, 0.0), display(0.56 * high, 0.95 * high, 0.0)]
        lid = tilted(lid, dice(5, 35), 0.0, split) if kind == 'shell' else [part.moved(x=0.9 * thick) for part in lid]
        parts = [body(0.28 * high, 0.56, 0.0), *lid]
    rows, columns = dice.count(3, 5), 3
    for row in range(rows):
        for column in range(columns):
            y, z = (column - 1) * 0.29 * wide, 0.05 * high + (row + 0.5) * 0.85 * (split - 0.05 * high) / rows
            parts.append(block((0.0, y, z), (0.004, 0.22 * wide, 0.55 * split / rows), key))
    return parts


def rifle(dice: Dice) -> List[Mesh]:
    """A long gun that points along x: stock, receiver, barrel, grip, magazine, perhaps a sight and a stand."""
    barrel, receiver, stock = dice(0.3, 0.7), dice(0.18, 0.34), dice(0.18, 0.32)
    thick, deep, bore = dice(0.025, 0.045), dice(0.045, 0.075), dice(0.007, 0.014)
    metal, wood = dice.colour(METALS[1:3]), dice.pick(dice.colour(WOODS), shaded(METALS[2], 1.5))
    front, back, drop = receiver / 2, -receiver / 2, dice(0.02, 0.07)
    parts = [block((0, 0, 0), (receiver, thick, deep), metal),
             rod((front - 0.02, 0, 0.2 * deep), (front + barrel, 0, 0.2 * deep), bore, metal)]  # fmt: skip
    profile = [(back, 0.45 * deep), (back, -0.3 * deep), (back - stock, -drop - dice(0.04, 0.09)),
               (back - stock, 0.45 * deep - drop * dice(0.2, 1.0))]  # fmt: skip
    parts.append(hull([(x, y, z) for x, z in profile for y in (-thick / 2, thick / 2)], wood))
    guard = dice(0.3, 0.7) * barrel
    parts.append(block((front + guard / 2, 0, 0.1 * deep), (guard, 0.9 * thick, 0.7 * deep), wood))
    grip = dice(0.06, 0.1)
    parts.append(
        post((back + 0.01 - 0.4 * grip, 0, -deep / 2 - grip), (back + 0.03, 0, -deep / 2 + 0.01), 0.9 * thick, wood)
    )
    if dice.chance(0.75):
        long, lean = dice(0.05, 0.17), dice(-0.02, 0.06)
        parts.append(post((lean, 0, -deep / 2 - long), (0.02, 0, -deep / 2 + 0.01), dice(0.9, 1.3) * thick, metal))
    if dice.chance(0.55):
        level, long, radius = deep / 2 + 0.025, dice(0.12, 0.26), dice(0.012, 0.022)
        parts += [rod((-long / 2, 0, level), (long / 2, 0, level), radius, BLACK),
                  rod((0.3 * long, 0, level), (0.6 * long, 0, level), 1.3 * radius, BLACK),
                  block((0, 0, deep / 2 + 0.008), (0.5 * long, 0.5 * thick, 0.03), metal)]  # fmt: skip
    parts.append(block((front + 0.95 * barrel, 0, 0.2 * deep + 0.015), (0.012, 0.006, 0.03), metal))
    if dice.chance(0.3):
        tip = (front + barrel - 0.01, 0, 0.2 * deep)
        parts.append(rod(tip, (tip[0] + dice(0.04, 0.12), 0, tip[2]), dice(1.3, 2.0) * bore, metal))
    if dice.chance(0.3):
        place = front + dice(0.5, 0.9) * barrel
        parts += mirrored([rod((place, 0, 0.2 * deep), (place, 0.09, -dice(0.12, 0.2)), 0.006, metal)])
    return parts
