"""Leaf blades as outlines with veins: along a midrib or about the end of the stalk, entire, toothed or lobed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from mmfusion_plugin.synthetic.herbarium_canvas import Colour, Stroke, ellipse, rotated

_SIDE = 56  # points of a margin, from the base of a blade to its tip
_GAP = 0.86 * np.pi  # where the margin of a palmate blade turns back to the stalk


@dataclass(frozen=True)
class LeafKind:
    """What the leaves of a plant have in common.

    Attributes:
        palmate: Veins and lobes spread from the end of the stalk; otherwise they leave a midrib.
        slender: Width of a pinnate blade over its length.
        base: Exponent of the width near the base; small is round, large is wedge-shaped.
        tip: The same near the tip.
        lobes: Lobes of each side of a pinnate blade, or of a whole palmate one.
        depth: Share of the width that the bays between lobes take; 0 is a blade without lobes.
        teeth: The same for the teeth of the margin.
        colour: RGB of the upper side.
    """

    palmate: bool
    slender: float
    base: float
    tip: float
    lobes: int
    depth: float
    teeth: float
    colour: Colour


def draw_kind(rng: np.random.Generator, depth: float, toothed: float, colour: Colour) -> LeafKind:
    """A kind of leaf; its numbers do not depend on ``depth``, so that lobes are the only trace of being lobed.

    Args:
        rng: Source of randomness.
        depth: Of the bays between lobes, 0 for none.
        toothed: Probability of a toothed margin.
        colour: RGB of the upper side.
    """
    palmate = rng.random() < 0.35
    lobes = int(rng.choice([3, 5, 5, 7])) if palmate else int(rng.integers(2, 5))
    slender, base, tip = rng.uniform(0.34, 0.62), rng.uniform(0.5, 1.0), rng.uniform(0.65, 1.2)
    teeth = rng.uniform(0.05, 0.1) * (rng.random() < toothed)
    return LeafKind(palmate, slender, base, tip, lobes, depth, teeth, colour)


def leaf(rng: np.random.Generator, kind: LeafKind, base: np.ndarray, angle: float, length: float) -> List[Stroke]:
    """A blade with its veins.

    Args:
        rng: Source of randomness.
        kind: Of the plant.
        base: (2,) where the stalk ends (mm).
        angle: Where the blade points (rad, 0 to the right, y down).
        length: From base to tip (mm).
    """
    margin, veins = _palmate(rng, kind) if kind.palmate else _pinnate(rng, kind)
    bend = rng.normal(0.0, 0.35)
    folded = 1.0 if rng.random() > 0.18 else rng.uniform(0.15, 0.55)

    spot = np.array([[rng.uniform(0.25, 0.8), rng.uniform(-0.12, 0.12)]])
    parts = [margin, np.concatenate([margin[: _SIDE + 1], [[0.0, 0.0]]]), spot, *veins]
    placed = base + rotated(_bent(np.concatenate(parts), bend, folded) * length, angle)
    margin, half, spot, *veins = np.split(placed, np.cumsum([len(part) for part in parts[:-1]]))
    colour = _varied(rng, kind.colour)
    shade = 1.18 if folded < 1 else rng.uniform(0.9, 0.98)  # a folded half shows its paler underside
    strokes = [Stroke(margin, colour), Stroke(half, tuple(shade * value for value in colour), outline=False)]
    light = tuple(0.78 * value + 38 for value in colour)
    strokes += [Stroke(vein, light, 0.45 if number else 0.8, False) for number, vein in enumerate(veins)]
    if rng.random() < 0.25:
        brown = (0.6 * colour[0] + 40, 0.5 * colour[1] + 20, 0.5 * colour[2] + 5)
        radii = length * rng.uniform(0.02, 0.05, 2)
        strokes.append(Stroke(ellipse(tuple(spot[0]), tuple(radii), angle), brown, outline=False))
    return strokes


def _bent(points: np.ndarray, bend: float, folded: float) -> np.ndarray:
    """Points ``(N, 2)`` of a flat blade along x with its midrib bent by ``bend`` (rad), and one half folded over."""
    across = points[:, 1] * np.where(points[:, 1] > 0, folded, 1.0)
    turn = bend * points[:, 0]
    x = points[:, 0] * np.cos(turn / 2) - across * np.sin(turn)
    y = points[:, 0] * np.sin(turn / 2) + across * np.cos(turn)
    return np.stack([x, y], axis=1)


def _varied(rng: np.random.Generator, colour: Colour) -> Colour:
    """A plant's leaves dry to different tones, some to brown."""
    tone, brown = rng.uniform(0.86, 1.14), max(rng.normal(0.0, 0.16), 0.0)
    mixed = (1 - brown) * np.asarray(colour) + brown * np.array([122.0, 92.0, 52.0])
    return tuple(float(value) for value in tone * mixed)


def _pinnate(rng: np.random.Generator, kind: LeafKind) -> Tuple[np.ndarray, List[np.ndarray]]:
    """Margin, first the side of positive y from base to tip and then back, and veins, of a blade of length 1."""
    t = np.linspace(0.0, 1.0, _SIDE + 1)
    profile = t**kind.base * (1 - t) ** kind.tip
    profile *= 0.5 * kind.slender / profile.max()
    sides, veins = [], [np.array([[0.0, 0.0], [0.9, 0.0]])]
    for sign in (1.0, -1.0):
        phase = rng.uniform(-0.08, 0.08)
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * (kind.lobes * (0.06 + 0.9 * t) + 0.5 + phase))
        bay = kind.depth * (1 - wave) ** 0.8 * np.clip(6 * t, 0, 1) * np.clip(7 * (1 - t), 0, 1)
        saw = kind.teeth * ((14 * t) % 1.0)
        width = profile * (1 + 0.5 * kind.depth - saw) * (1 - bay)
        # Lobes point forward: their tips move along the midrib.
        sides.append(np.stack([t + 0.45 * kind.depth * (width - profile.mean()) * (t > 0) * (t < 1), sign * width], 1))
        for start in (np.arange(kind.lobes) + 0.5 - phase) / kind.lobes / 0.9 - 0.06:
            end = min(start + 0.1, 0.86)
            reach = 0.8 * np.interp(end, t, width)
            veins.append(np.array([[min(max(start - 0.06, 0.05), 0.8), 0.0], [end, sign * reach]]))
    return np.concatenate([sides[0], sides[1][::-1]]), veins


def _palmate(rng: np.random.Generator, kind: LeafKind) -> Tuple[np.ndarray, List[np.ndarray]]:
    """The same for a blade whose veins and lobes spread from the origin."""
    theta = np.linspace(0.0, _GAP, _SIDE + 1)
    spread = _GAP * 0.82 / ((kind.lobes - 1) / 2)  # between the tips of neighbouring lobes
    radius = 0.62 * (1 - 0.34 * (theta / np.pi) ** 1.4)
    sides, veins = [], [np.array([[0.0, 0.0], [0.6, 0.0]])]
    for sign in (1.0, -1.0):
        crest = np.abs(np.cos(np.pi * theta / spread * rng.uniform(0.97, 1.03))) ** 1.3
        saw = kind.teeth * ((16 * theta / _GAP) % 1.0)
        reach = radius * (1 - kind.depth * (1 - crest) * np.clip(5 * (1 - theta / _GAP), 0, 1)) * (1 - saw)
        # A little point at the end of the middle lobe.
        reach += 0.38 * np.exp(-((theta / 0.22) ** 2)) * (0.5 + 0.5 * kind.slender)
        sides.append(np.stack([reach * np.cos(theta), sign * reach * np.sin(theta)], axis=1)[::-1])
        for number in range(1, (kind.lobes + 1) // 2):
            far = 0.86 * np.interp(number * spread, theta, reach)
            end = far * np.array([np.cos(number * spread), sign * np.sin(number * spread)])
            veins.append(np.stack([np.zeros(2), end]))
    notch = np.array([[0.0, 0.0]])
    return np.concatenate([sides[0], sides[1][::-1][1:], notch]), veins
