"""What furniture stands on: legs, pedestals, stars, sleds and side panels."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_solids import Colour, Dice, ball, block, mirrored, oval, plate, post, rod


def legs(dice: Dice, x: float, y: float, top: float, thick: float, colour: Colour) -> List[Mesh]:
    """Four legs under (±x, ±y): square or round, straight or splayed, tapered or not, with or without stretchers."""
    splay, tip, is_round = dice.pick(0.0, 0.0, dice(0.03, 0.12)) * top, dice(0.5, 1.0), dice.chance(0.4)
    parts = []
    for side in (-1, 1):
        foot, head = (side * (x + splay), y + splay, 0.0), (side * x, y, top)
        parts.append(rod(head, foot, thick / 2, colour, tip) if is_round else post(foot, head, thick, colour, tip))
    if dice.chance(0.3):
        level, bar = dice(0.15, 0.5) * top, 0.6 * thick
        out = splay * (1 - level / top)
        parts.append(block((0, y + out, level), (2 * (x + out), bar, bar), colour))
        if dice.chance(0.5):
            return [*mirrored(parts), block((0, 0, level), (bar, 2 * (y + out), bar), colour)]
    return mirrored(parts)


def pedestal(dice: Dice, reach: float, top: float, thick: float, colour: Colour) -> List[Mesh]:
    """A column on a round or square foot that reaches out as far as ``reach``."""
    foot, plinth = dice(0.55, 0.85) * reach, dice(0.02, 0.05) * top
    outline = oval(foot, foot) if dice.chance(0.6) else oval(1.2 * foot, 1.2 * foot, 4)
    width, belly = dice(0.6, 1.6) * thick, dice(0.3, 0.6) * top
    parts = [plate(outline, 0, plinth, colour)]
    if dice.chance(0.5):
        return [*parts, rod((0, 0, 0), (0, 0, top), width, colour, dice(0.6, 1.0), 16)]
    return [*parts, rod((0, 0, 0), (0, 0, belly), 1.8 * width, colour, 0.5, 16),
            rod((0, 0, belly), (0, 0, top), 0.9 * width, colour, dice(1.0, 2.0), 16)]  # fmt: skip


def star(dice: Dice, reach: float, top: float, colour: Colour) -> List[Mesh]:
    """The five feet of an office chair, on castors or on the floor."""
    feet, radius, castor = dice.pick(4, 5, 5), dice(0.05, 0.08) * reach, dice.pick(0.0, dice(0.08, 0.12)) * reach
    hub = castor + dice(0.15, 0.35) * reach
    parts = [rod((0, 0, hub), (0, 0, top), 1.3 * radius, colour), rod((0, 0, castor), (0, 0, hub), 2 * radius, colour)]
    for angle in np.arange(feet) * (2 * np.pi / feet) + np.pi / feet:
        end = (reach * np.cos(angle), reach * np.sin(angle), castor + radius)
        parts.append(rod((0, 0, 0.8 * hub), end, 1.3 * radius, colour, 0.7, 8))
        if castor:
            parts.append(ball((end[0], end[1], castor / 2), 3 * (castor / 2,), (0.1, 0.1, 0.1)))
    return parts


def sled(dice: Dice, x: float, y: float, top: float, thick: float, colour: Colour) -> List[Mesh]:
    """Runners on the floor: closed frames at both sides, or a cantilever that is open at the back."""
    bar = 0.7 * thick
    parts = [block((0, y, bar / 2), (2 * x, bar, bar), colour), post((x, y, 0), (x, y, top), bar, colour)]
    if dice.chance(0.5):
        parts.append(post((-x, y, 0), (-x, y, top), bar, colour))
        return mirrored(parts)
    parts.append(block((0, y, top - bar / 2), (2 * x, bar, bar), colour))
    return [*mirrored(parts), block((-x, 0, bar / 2), (bar, 2 * y + bar, bar), colour)]


def panels(dice: Dice, x: float, y: float, top: float, thick: float, colour: Colour) -> List[Mesh]:
    """Closed sides, with a board between them or without."""
    parts = mirrored([block((0, y, top / 2), (2 * x, 0.7 * thick, top), colour)])
    if dice.chance(0.6):
        high = dice(0.3, 0.8) * top
        parts.append(block((dice(-0.8, 0.0) * x, 0, top - high / 2), (0.5 * thick, 2 * y, high), colour))
    return parts


def trestles(dice: Dice, x: float, y: float, top: float, thick: float, colour: Colour) -> List[Mesh]:
    """A crossed or an upright pair of posts near both ends, joined by a beam."""
    foot, end = (dice(0.8, 1.0) * x, dice(0.75, 0.95) * y)
    if dice.chance(0.5):
        crossed = [post((-foot, end, 0), (foot, end, top), thick, colour),
                   post((foot, end, 0), (-foot, end, top), thick, colour)]  # fmt: skip
        return [*mirrored(crossed), block((0, 0, top / 2), (thick, 2 * end, thick), colour)]
    upright = [post((0, end, 0), (0, end, top), 1.5 * thick, colour),
               block((0, end, thick / 2), (2 * foot, thick, thick), colour),
               block((0, end, top - thick / 2), (1.6 * foot, thick, thick), colour)]  # fmt: skip
    return [*mirrored(upright), block((0, 0, dice(0.2, 0.5) * top), (thick, 2 * end, 1.5 * thick), colour)]
