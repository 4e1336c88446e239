"""Chairs, sofas and benches: x forward, z up. Each shape draws a dozen parameters and more."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_solids import (
    CLOTHS,
    METALS,
    WOODS,
    Colour,
    Dice,
    ball,
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
from mmfusion_plugin.synthetic.shapenet_supports import legs, panels, pedestal, sled, star


def chair(dice: Dice) -> List[Mesh]:
    """A chair: legs, runners, sides, a column or castors; a back of boards, bars or cloth, or none; arms or none."""
    deep, wide, level = dice(0.4, 0.56), dice(0.4, 0.6), dice(0.4, 0.54)
    thick, leg, frame = dice(0.025, 0.1), dice(0.03, 0.06), dice.colour(dice.pick(WOODS, WOODS, METALS))
    cloth = dice.colour(dice.pick(CLOTHS, (frame,)))
    below, is_round = level - thick, dice.chance(0.25)
    # Under a round seat the legs stand closer together.
    x, y = (0.66 if is_round else 1.0) * (np.array([deep, wide]) / 2 - 0.6 * leg)
    support = dice.pick('legs', 'legs', 'legs', 'star', 'sled', 'pedestal', 'panels')
    if support == 'legs':
        parts = legs(dice, x, y, below, leg, frame)
    elif support == 'star':
        parts = star(dice, 0.55 * wide, below, dice.colour(METALS))
    elif support == 'pedestal':
        parts = pedestal(dice, 0.5 * wide, below, leg, frame)
    else:
        parts = (sled if support == 'sled' else panels)(dice, x, y, below, leg, frame)
    narrow = dice(0.78, 1.0)
    corners = np.array([[-deep, -narrow * wide], [deep, -wide], [deep, wide], [-deep, narrow * wide]]) / 2
    parts.append(plate(oval(deep / 2, wide / 2) if is_round else corners, below, level, cloth))
    if dice.chance(0.95):
        # Behind a round seat the back is narrow, and stands where the seat is as wide as it.
        share, place = (0.6, -0.4 * deep) if is_round else (0.94 * narrow, 0.02 - deep / 2)
        back = _back(dice, share * wide, dice(0.3, 0.68), level, leg, frame, cloth)
        parts += tilted([part.moved(x=place) for part in back], dice(0, 16), place, level - 0.01)
    if dice.chance(0.4) and not is_round:
        high, reach, pad = level + dice(0.16, 0.26), dice(0.6, 1.0) * deep, dice(0.035, 0.08)
        arm = [block((-deep / 2 + reach / 2, wide / 2, high), (reach, pad, 0.7 * pad), dice.pick(frame, cloth)),
               post((reach - deep / 2 - pad, wide / 2, below), (reach - deep / 2 - pad, wide / 2, high), 0.8 * pad,
                    frame)]  # fmt: skip
        parts += mirrored(arm)
    return parts


def _back(dice: Dice, wide: float, high: float, level: float, leg: float, frame: Colour, cloth: Colour) -> List[Mesh]:
    """The upright back of a chair about x = 0, from ``level`` upwards."""
    kind = dice.pick('board', 'bars', 'rungs', 'frame', 'round', 'cushion')
    top, bar, thick = level + high, 0.7 * leg, dice(0.02, 0.05)
    if kind == 'board':
        low = level + dice.pick(-0.01, 0.35 * high)
        stays = mirrored([post((0, 0.3 * wide, level - 0.01), (0, 0.3 * wide, low + 0.05), bar, frame)])
        return [block((0, 0, (low + top) / 2), (thick, wide, top - low), cloth), *stays]
    if kind == 'round':
        radius = min(wide, high) / 2
        disc = rod((-thick / 2, 0, top - radius), (thick / 2, 0, top - radius), radius, cloth, sides=24)
        return [disc, *mirrored([post((0, 0.2 * wide, level - 0.01), (0, 0.2 * wide, top - radius), bar, frame)])]
    if kind == 'cushion':
        middle = (level + top) / 2
        corners = [(x, y, z) for x, share in ((0.06, 0.8), (-0.06, 1.0))
                   for y in (-share * wide / 2, share * wide / 2)
                   for z in (middle - share * high / 2, middle + share * high / 2)]  # fmt: skip
        return [hull(corners, cloth)]
    parts = mirrored([post((0, wide / 2 - bar / 2, level - 0.01), (0, wide / 2 - bar / 2, top), bar, frame)])
    parts.append(block((0, 0, top - bar), (bar, wide, 2 * bar), frame))
    if kind == 'frame':
        return [*parts, block((0, 0, level + 0.55 * high), (0.5 * bar, wide, 0.7 * high), cloth)]
    count = dice.count(2, 7)
    for share in (np.arange(count) + 1) / (count + 1):
        if kind == 'bars':
            y = (share - 0.5) * wide
            parts.append(block((0, y, level + high / 2), (0.6 * bar, 0.6 * bar, high), frame))
        else:
            parts.append(block((0, 0, level + share * high), (0.5 * bar, wide, 0.4 * high / (count + 1)), frame))
    return parts


def sofa(dice: Dice) -> List[Mesh]:
    """A sofa for one to four, with low or high, square or round arms, a straight or leaning back, perhaps a corner."""
    seats, each, deep = dice.count(1, 4), dice(0.52, 0.7), dice(0.75, 1.0)
    arm, back, foot = dice(0.08, 0.26), dice(0.14, 0.26), dice(0.02, 0.16)
    level, arm_top, top = dice(0.36, 0.46), dice(0.5, 0.68), dice(0.68, 0.98)
    cloth, wood = dice.colour(CLOTHS), dice.colour(dice.pick(WOODS, METALS))
    light, inner = shaded(cloth, dice(1.05, 1.25)), seats * each
    wide, pad = inner + 2 * arm, dice(0.1, 0.2)
    base = level - pad
    x, y = deep / 2 - 0.06, wide / 2 - 0.06
    leg, tip = dice(0.04, 0.08), dice(0.5, 1.0)
    parts = mirrored([post((side * x, y, 0), (side * x, y, foot + 0.01), leg, wood, tip) for side in (-1, 1)])
    parts.append(block((0, 0, (foot + base) / 2), (deep, wide, base - foot), cloth))
    parts += tilted([block((back / 2 - deep / 2, 0, (foot + top) / 2), (back, wide, top - foot), cloth)],
                    dice(0, 12), -deep / 2, foot)  # fmt: skip
    if dice.chance(0.85):
        place = wide / 2 - arm / 2
        side = [block((0, place, (foot + arm_top) / 2), (deep, arm, arm_top - foot), cloth)]
        if dice.chance(0.4):
            side.append(rod((-deep / 2, place, arm_top), (deep / 2, place, arm_top), dice(0.5, 0.75) * arm, cloth))
        parts += mirrored(side)
    high = dice(0.6, 1.0) * (top - level)
    for i in range(seats):
        y = (i - (seats - 1) / 2) * each
        size = (deep - back, 0.97 * each, pad)
        parts.append(block((back / 2 + 0.01, y, level - pad / 2), size, light))
        cushion = block((back - deep / 2 + 0.05, y, level + high / 2), (0.14, 0.95 * each, high), light)
        parts += tilted([cushion], dice(4, 14), back - deep / 2, level)
    if seats > 1 and dice.chance(0.3):
        side, reach = dice.pick(-1, 1) * (inner - each) / 2, dice(0.45, 0.7)
        parts.append(block((deep / 2 + reach / 2, side, (foot + base) / 2), (reach, each, base - foot), cloth))
        parts.append(block((deep / 2 + reach / 2, side, level - pad / 2), (reach, 0.97 * each, pad), light))
    elif dice.chance(0.5):
        spare = dice.colour(CLOTHS)
        parts += [ball((back - deep / 2 + 0.2, s * (inner / 2 - 0.18), level + 0.16), (0.08, 0.17, 0.17), spare)
                  for s in dice.pick((-1, 1), (1,))]  # fmt: skip
    return parts


def bench(dice: Dice) -> List[Mesh]:
    """A bench of boards or of one plate, for a park, a hall or a piano; with or without a back and arms."""
    wide, deep, level = dice(0.9, 2.0), dice(0.32, 0.55), dice(0.38, 0.5)
    thick, leg, frame = dice(0.03, 0.09), dice(0.05, 0.1), dice.colour(dice.pick(WOODS, METALS))
    colour, boards = dice.colour(dice.pick(WOODS, WOODS, CLOTHS)), dice.count(1, 5)
    below, step = level - thick, deep / boards
    x, y = deep / 2 - 0.6 * leg, dice(0.6, 0.95) * wide / 2 - 0.5 * leg
    if dice.chance(0.5):
        parts = legs(dice, x, y, below, leg, frame)
    else:
        parts = (sled if dice.chance(0.4) else panels)(dice, x, y, below, leg, frame)
    for i in range(boards):
        place = (i + 0.5) * step - deep / 2
        parts.append(block((place, 0, level - thick / 2), (step * (0.85 if boards > 1 else 1.0), wide, thick), colour))
    if dice.chance(0.6):
        high, rails, stay = dice(0.3, 0.5), dice.count(1, 4), 0.6 * leg
        back = mirrored([post((0, y, below), (0, y, level + high), stay, frame)])
        for i in range(rails):
            z = level + high * (i + 1) / (rails + 0.3)
            back.append(block((0.5 * stay, 0, z - 0.04), (0.025, wide, 0.7 * high / (rails + 0.3)), colour))
        parts += tilted([part.moved(x=-deep / 2) for part in back], dice(0, 18), -deep / 2, level)
        if dice.chance(0.5):
            rest = level + dice(0.16, 0.24)
            parts += mirrored([block((0, y, rest), (deep, 0.06, 0.04), frame),
                               post((x, y, below), (x, y, rest), 0.6 * leg, frame)])  # fmt: skip
    return parts
