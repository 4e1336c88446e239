"""Tables, cabinets and lamps: x forward, z up. Each shape draws a dozen parameters and more."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_solids import (
    BLACK,
    CLOTHS,
    GLASS,
    METALS,
    PAINTS,
    WOODS,
    Colour,
    Dice,
    ball,
    block,
    mirrored,
    oval,
    plate,
    rod,
    shaded,
)
from mmfusion_plugin.synthetic.shapenet_supports import legs, panels, pedestal, sled, star, trestles


def table(dice: Dice) -> List[Mesh]:
    """A table: rectangular, round, oval or six-sided; on legs, a column, trestles, runners or sides; drawers, shelf."""
    wide, deep, top = dice(0.7, 2.1), dice(0.55, 0.95), dice.pick(dice(0.36, 0.5), dice(0.68, 0.8), dice(0.68, 1.05))
    thick, leg, wood = dice(0.02, 0.07), dice(0.03, 0.1), dice.colour(dice.pick(WOODS, WOODS, METALS))
    surface = dice.pick(wood, wood, dice.colour(WOODS), GLASS)
    form = dice.pick('box', 'box', 'box', 'round', 'oval', 'six')
    wide = deep if form in ('round', 'six') else wide
    inset = dice(0.0, 0.08) + (0.15 * deep if form != 'box' else 0.0)
    x, y, below = deep / 2 - inset - leg / 2, wide / 2 - inset * (wide / deep) - leg / 2, top - thick
    outline = {'box': np.array([[-deep, -wide], [deep, -wide], [deep, wide], [-deep, wide]]) / 2,
               'round': oval(deep / 2, deep / 2, 28), 'six': oval(deep / 2, deep / 2, 6),
               'oval': oval(deep / 2, wide / 2, 28)}[form]  # fmt: skip
    parts = [plate(outline, below, top, surface)]
    support = dice.pick('legs', 'legs', 'legs', 'column', 'trestles', 'sled', 'panels')
    if form in ('round', 'six') and dice.chance(0.6) or support == 'column':
        size = min(x, y) + inset
        base = star(dice, size, below, wood) if dice.chance(0.3) else pedestal(dice, size, below, leg, wood)
        if wide > 1.6 * deep:
            return parts + mirrored([part.moved(y=0.28 * wide) for part in base])
        return parts + base
    if support == 'legs':
        parts += legs(dice, x, y, below, leg, wood)
    else:
        parts += {'trestles': trestles, 'sled': sled, 'panels': panels}[support](dice, x, y, below, leg, wood)
    if dice.chance(0.5):
        high = dice(0.06, 0.14)
        parts.append(block((0, 0, below - high / 2), (2 * x, 2 * y, high), shaded(wood, 0.9)))
    if dice.chance(0.3):
        level = dice(0.2, 0.5) * top
        parts.append(block((0, 0, level), (2 * x, 2 * y, 0.7 * thick), surface))
    if form == 'box' and top > 0.6 and dice.chance(0.3):
        parts += _drawers(dice, x, y, below, wood)
    return parts


def _drawers(dice: Dice, x: float, y: float, top: float, colour: Colour) -> List[Mesh]:
    """One or two stacks of drawers under a desk."""
    wide, low, rows = dice(0.25, 0.4) * y, dice(0.0, 0.5) * top, dice.count(2, 4)
    parts = [block((0, y - wide, (low + top) / 2), (2 * x, 2 * wide, top - low), colour)]
    for i in range(rows):
        high = (top - low) / rows
        z = low + (i + 0.5) * high
        parts.append(block((x, y - wide, z), (0.02, 1.85 * wide, 0.85 * high), shaded(colour, 1.12)))
        parts.append(block((x + 0.015, y - wide, z), (0.02, 0.6 * wide, 0.02), BLACK))
    return mirrored(parts) if dice.chance(0.5) else parts


def cabinet(dice: Dice) -> List[Mesh]:
    """A cupboard, chest of drawers, bookcase or sideboard on feet or a plinth, with doors, drawers or open shelves."""
    wide, deep, high = dice(0.45, 1.7), dice(0.32, 0.6), dice(0.6, 2.0)
    foot, board, wood = dice(0.03, 0.18), dice(0.02, 0.04), dice.colour(WOODS)
    front, knob = dice.pick(shaded(wood, 1.15), dice.colour(PAINTS), dice.colour(WOODS)), dice.colour(METALS)
    columns, rows = max(1, round(wide / dice(0.35, 0.7))), max(1, round((high - foot) / dice(0.2, 0.8)))
    is_open, ledge = dice(0.0, 0.7), dice(0.0, 0.03)
    if dice.chance(0.6):
        parts = legs(dice, deep / 2 - 0.05, wide / 2 - 0.05, foot, 0.06, shaded(wood, 0.7))
    else:
        parts = [block((-0.02, 0, foot / 2), (deep - 0.06, wide - 0.04, foot), shaded(wood, 0.6))]
    parts += mirrored([block((0, (wide - board) / 2, (foot + high) / 2), (deep, board, high - foot), wood)])
    parts += [block((board / 2 - deep / 2, 0, (foot + high) / 2), (board, wide, high - foot), wood),
              block((0, 0, foot + board / 2), (deep, wide, board), wood),
              block((ledge / 2, 0, high - board / 2), (deep + ledge, wide + 2 * ledge, board), wood)]  # fmt: skip
    each, step = wide / columns, (high - foot) / rows
    for column in range(1, columns):
        parts.append(block((0, column * each - wide / 2, (foot + high) / 2), (deep, board, high - foot), wood))
    for row in range(rows):
        parts.append(block((0, 0, foot + (row + 1) * step - board / 2), (deep, wide, board), wood))
        for column in range(columns):
            if dice.chance(is_open):
                continue
            y, z = (column + 0.5) * each - wide / 2, foot + (row + 0.5) * step
            parts.append(block((deep / 2, y, z), (0.03, 0.94 * each, 0.94 * step), front))
            if step < each:
                parts.append(block((deep / 2 + 0.025, y, z), (0.03, 0.3 * each, 0.02), knob))
            else:
                parts.append(block((deep / 2 + 0.025, y + 0.36 * each, z), (0.03, 0.02, 0.2 * step), knob))
    return parts


def lamp(dice: Dice) -> List[Mesh]:
    """A floor, table, desk or hanging lamp, or a chandelier."""
    kind = dice.pick('floor', 'table', 'table', 'desk', 'hanging', 'chandelier')
    return {'floor': _standing, 'table': _standing, 'desk': _desk, 'hanging': _hanging, 'chandelier': _chandelier}[
        kind
    ](dice, dice.colour(METALS), dice.colour(dice.pick(CLOTHS, PAINTS)), kind == 'floor')


def _shade(dice: Dice, low: float, high: float, radius: float, colour: Colour) -> List[Mesh]:
    """A shade between two heights about the z axis: a cone, drum, globe, box or a stack of rings."""
    tip, form = dice(0.35, 0.95), dice.pick('cone', 'cone', 'globe', 'box', 'rings')
    middle, half = (low + high) / 2, (high - low) / 2
    if form == 'globe':
        return [ball((0, 0, middle), (radius, radius, half), colour)]
    if form == 'box':
        return [rod((0, 0, low), (0, 0, high), 1.2 * radius, colour, tip, 4)]
    if form == 'rings':
        edges = np.linspace(low, high, dice.count(3, 5) + 1)
        return [
            rod(
                (0, 0, a),
                (0, 0, a + 0.9 * (b - a)),
                radius * (1 - (1 - tip) * (a - low) / (high - low)),
                colour,
                0.9,
                20,
            )
            for a, b in zip(edges[:-1], edges[1:])
        ]
    return [rod((0, 0, low), (0, 0, high), radius, colour, tip, 20)]


def _standing(dice: Dice, metal: Colour, colour: Colour, tall: bool) -> List[Mesh]:
    high, radius = (dice(1.3, 1.8), dice(0.15, 0.28)) if tall else (dice(0.4, 0.7), dice(0.12, 0.24))
    shade, pole, foot = dice(0.15, 0.4) * min(high, 1.0), dice(0.008, 0.025), dice(0.08, 0.18)
    neck = high - shade
    parts = _shade(dice, neck, high, radius, colour) + [rod((0, 0, 0), (0, 0, high - 0.3 * shade), pole, metal)]
    if tall and dice.chance(0.35):
        for angle in np.arange(3) * 2 * np.pi / 3:
            reach = (0.28 * np.cos(angle), 0.28 * np.sin(angle), 0)
            parts.append(rod((0, 0, dice(0.6, 0.95) * neck), reach, 0.018, metal, 0.7))
        return parts
    outline = oval(foot, foot) if dice.chance(0.7) else oval(foot, foot, 4)
    parts.append(plate(outline, 0, dice(0.015, 0.05), metal))
    if not tall:
        vase, body = dice.pick(metal, dice.colour(PAINTS)), dice.pick('vase', 'column', 'balls', 'pole')
        if body == 'vase':
            belly = dice(0.3, 0.6) * neck
            wide = dice(0.5, 0.9) * foot
            parts += [rod((0, 0, 0.02), (0, 0, belly), wide, vase, dice(1.0, 1.5), 16),
                      rod((0, 0, neck), (0, 0, belly), pole * 1.5, vase, wide / pole / 1.5, 16)]  # fmt: skip
        elif body == 'column':
            parts.append(rod((0, 0, 0), (0, 0, 0.9 * neck), dice(0.25, 0.6) * foot, vase, dice(0.5, 1.2), 12))
        elif body == 'balls':
            count = dice.count(2, 4)
            size = 0.45 * neck / count
            parts += [ball((0, 0, (2 * i + 1) * size), (size, size, size), vase) for i in range(count)]
    return parts


def _desk(dice: Dice, metal: Colour, colour: Colour, tall: bool) -> List[Mesh]:
    """A foot, two arms with an elbow, and a head that looks down."""
    foot, bar = dice(0.07, 0.11), dice(0.008, 0.016)
    elbow = np.array([-dice(0.02, 0.16), 0.0, dice(0.22, 0.38)])
    head = elbow + [dice(0.18, 0.34), 0.0, dice(-0.03, 0.18)]
    aim = head + [dice(0.02, 0.1), 0.0, -dice(0.1, 0.16)]
    parts = [plate(oval(foot, foot), 0, dice(0.015, 0.04), metal), rod((0, 0, 0), elbow, bar, metal),
             rod(elbow, head, bar, metal), ball(elbow, 3 * (1.8 * bar,), metal)]  # fmt: skip
    return [*parts, rod(head - 0.25 * (aim - head), aim, dice(0.025, 0.045), colour, dice(1.4, 2.4), 18)]


def _hanging(dice: Dice, metal: Colour, colour: Colour, tall: bool) -> List[Mesh]:
    """A shade on a wire under the ceiling."""
    radius, high, wire = dice(0.12, 0.3), dice(0.12, 0.32), dice(0.2, 0.7)
    parts = _shade(dice, 0.0, high, radius, colour)
    return [*parts, rod((0, 0, 0.9 * high), (0, 0, high + wire), 0.01, metal),
            rod((0, 0, high + wire - 0.03), (0, 0, high + wire), dice(0.04, 0.08), metal)]  # fmt: skip


def _chandelier(dice: Dice, metal: Colour, colour: Colour, tall: bool) -> List[Mesh]:
    """Arms about a hub, each with a small shade that looks up or down."""
    arms, reach, hang, lift = dice.count(3, 7), dice(0.25, 0.4), dice(0.25, 0.6), dice(-0.08, 0.14)
    size, high, up = dice(0.05, 0.1), dice(0.08, 0.14), dice.chance(0.6)
    hub = max(0.0, high - lift)
    parts = [rod((0, 0, hub - 0.05), (0, 0, hub + hang), 0.015, metal), ball((0, 0, hub), (0.05, 0.05, 0.07), metal),
             rod((0, 0, hub + hang - 0.03), (0, 0, hub + hang), 0.07, metal)]  # fmt: skip
    for angle in np.arange(arms) * 2 * np.pi / arms:
        x, y, z = reach * np.cos(angle), reach * np.sin(angle), hub + lift
        parts.append(rod((0, 0, hub), (x, y, z), 0.012, metal, sides=8))
        wide, narrow = z + (high if up else -high), z
        parts.append(rod((x, y, wide), (x, y, narrow), size, colour, 0.55, 14))
    return parts
