"""What besides leaves a stem may bear: thorns, fruits, flowers and roots."""

from __future__ import annotations

from typing import Callable, List, Tuple

import numpy as np

from mmfusion_plugin.synthetic.herbarium_canvas import Colour, Stroke, ellipse, rotated, tapered

_FRUITS = ((96, 38, 34), (58, 36, 52), (112, 62, 30), (70, 48, 34), (44, 34, 30), (138, 74, 40))
_PETALS = ((196, 160, 120), (176, 132, 150), (208, 186, 132), (150, 112, 140), (186, 120, 96))


def thorn(rng: np.random.Generator, foot: np.ndarray, angle: float, length: float, colour: Colour) -> List[Stroke]:
    """A prickle with a broad foot, bent towards the stem's base.

    Args:
        rng: Source of randomness.
        foot: (2,) on the stem's surface (mm).
        angle: Where it points (rad).
        length: From foot to tip (mm).
        colour: RGB of the stem.
    """
    wide, hook = 0.22 * length + 0.35, rng.uniform(-0.1, 0.3) * length
    shape = np.array([[-0.4, -wide], [0.45 * length, -0.4 * wide + 0.25 * hook], [length, hook],
                      [0.4 * length, 0.45 * wide + 0.3 * hook], [-0.4, wide]])  # fmt: skip
    tone = tuple(0.72 * value + add for value, add in zip(colour, (22, 4, 0)))
    return [Stroke(foot + rotated(shape, angle), tone)]


def _berry(rng: np.random.Generator, at: np.ndarray, angle: float, size: float, colour: Colour) -> List[Stroke]:
    round_ = size * rng.uniform(0.9, 1.1), size * rng.uniform(0.8, 1.0)
    light = tuple(0.7 * value + 62 for value in colour)
    crumple = at + rotated(np.array([[-0.6 * size, -0.2 * size], [0.1 * size, 0.25 * size], [0.6 * size, 0.1 * size]]),
                           rng.uniform(0, np.pi))  # fmt: skip
    return [Stroke(ellipse(tuple(at), round_, angle), colour),
            Stroke(ellipse(tuple(at - 0.3 * size), (0.3 * size, 0.22 * size), angle, 10), light, outline=False),
            Stroke(crumple, tuple(0.6 * value for value in colour), 0.3, False)]  # fmt: skip


def _pod(rng: np.random.Generator, at: np.ndarray, angle: float, size: float, colour: Colour) -> List[Stroke]:
    t = np.linspace(0, 1, 14)
    bend = rng.uniform(-0.5, 0.5)
    axis = at + rotated(np.stack([3.6 * size * t, bend * size * 3 * t * (1 - t)], axis=1), angle)
    beads = 1.25 * size * np.sin(np.pi * t) ** 0.45 * (0.84 + 0.16 * np.cos(8 * np.pi * t))
    return [Stroke(tapered(axis, beads), colour), Stroke(axis, tuple(0.65 * value for value in colour), 0.4, False)]


def _capsule(rng: np.random.Generator, at: np.ndarray, angle: float, size: float, colour: Colour) -> List[Stroke]:
    shape = np.array([[-1.2, 0], [-0.8, 0.7], [0.1, 0.95], [0.8, 0.5], [1.5, 0.55], [1.0, 0.1], [1.65, 0.0],
                      [1.0, -0.1], [1.5, -0.55], [0.8, -0.5], [0.1, -0.95], [-0.8, -0.7]])  # fmt: skip
    seam = np.array([[-1.1, 0.0], [1.2, 0.0]])
    dark = tuple(0.62 * value for value in colour)
    return [Stroke(at + rotated(shape * size * rng.uniform(0.9, 1.1), angle), colour),
            Stroke(at + rotated(seam * size, angle), dark, 0.4, False)]  # fmt: skip


def fruit_kind(rng: np.random.Generator) -> Tuple[Callable[..., List[Stroke]], Colour]:
    """The fruits of a plant: how one is drawn, and its colour."""
    draw = (_berry, _berry, _capsule, _pod)[rng.integers(4)]
    return draw, _FRUITS[rng.integers(len(_FRUITS))]


def infructescence(
    rng: np.random.Generator,
    kind: Tuple[Callable[..., List[Stroke]], Colour],
    base: np.ndarray,
    angle: float,
    size: float,
    count: int,
    colour: Colour,
) -> List[Stroke]:
    """A cluster of fruits on stalks along an axis, or all from its base (an umbel).

    Args:
        rng: Source of randomness.
        kind: Of :func:`fruit_kind`.
        base: (2,) where it leaves the plant (mm).
        angle: Where it points (rad).
        size: Radius of a fruit (mm).
        count: Fruits.
        colour: RGB of the stalks.
    """
    draw, skin = kind
    umbel = rng.random() < 0.4
    reach = size * (1.4 * count**0.5 + 3.0 if umbel else 0.95 * count + 4.0)
    t = np.linspace(0, 1, 8)
    axis = base + rotated(np.stack([reach * t, 0.12 * reach * rng.normal() * t * t], axis=1), angle)
    strokes = [] if umbel else [Stroke(tapered(axis, 1.1 - 0.5 * t), colour)]
    for number in range(count):
        if umbel:
            turn, start = angle + rng.uniform(-0.95, 0.95), base
            length = reach * rng.uniform(0.55, 1.0)
        else:
            side = 1 if number % 2 else -1
            place = 0.3 + 0.7 * number / max(count - 1, 1)
            start = np.stack([np.interp(place, t, axis[:, k]) for k in range(2)])
            turn = angle + (side * rng.uniform(0.6, 1.1) if number < count - 1 else 0.0)
            length = size * rng.uniform(1.5, 2.3)
        end = start + length * np.array([np.cos(turn), np.sin(turn)])
        strokes.append(Stroke(np.stack([start, end]), colour, 0.7))
        tone = tuple(rng.uniform(0.85, 1.15) * value for value in skin)
        strokes += draw(rng, end, turn, size, tone)
    return strokes


def flower(rng: np.random.Generator, at: np.ndarray, angle: float, size: float, kind: int) -> List[Stroke]:
    """A flat dried flower of ``4 + kind % 3`` petals about its centre ``at`` (mm), ``size`` mm across a petal."""
    petal, count = _PETALS[kind % len(_PETALS)], 4 + kind % 3
    strokes = []
    for number in range(count):
        turn = angle + 2 * np.pi * (number + rng.uniform(-0.15, 0.15)) / count
        middle = at + 0.62 * size * np.array([np.cos(turn), np.sin(turn)])
        tone = tuple(rng.uniform(0.88, 1.08) * value for value in petal)
        strokes.append(Stroke(ellipse(tuple(middle), (0.66 * size, 0.42 * size), turn), tone))
    return [*strokes, Stroke(ellipse(tuple(at), (0.3 * size, 0.3 * size)), (126, 92, 40))]


def roots(rng: np.random.Generator, base: np.ndarray, colour: Colour) -> List[Stroke]:
    """Fibres below the foot of a plant that was dug out."""
    strokes = []
    for _ in range(int(rng.integers(7, 14))):
        heading = np.pi / 2 + rng.normal(0, 0.55) + np.cumsum(rng.normal(0, 0.16, 10))
        steps = rng.uniform(1.2, 3.2) * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        axis = base + np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)])
        tone = tuple(0.9 * value + 8 for value in colour)
        strokes.append(Stroke(tapered(axis, np.linspace(1.5, 0.4, len(axis))), tone))
        strokes.append(Stroke(axis, tone, 0.5))
    return strokes
