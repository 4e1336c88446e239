"""People, cycles with and without riders, cones and barriers: x forward, standing on z = 0."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.synthetic.materials import CLOTH, LAMP, PAINT, PLAIN, SIGN, SKIN, STRIPES, TYRE
from mmfusion_plugin.synthetic.meshes import Mesh, box, ellipsoid, frustum, merge, prism, tube
from mmfusion_plugin.synthetic.vehicles import BLACK, CHROME, GREY

SKIN_TONES = [(0.75, 0.55, 0.42), (0.55, 0.36, 0.25), (0.35, 0.22, 0.15), (0.85, 0.65, 0.52)]
ADULT_TOPS = [
    (0.1, 0.1, 0.12),
    (0.3, 0.3, 0.32),
    (0.1, 0.15, 0.3),
    (0.8, 0.8, 0.78),
    (0.35, 0.12, 0.1),
    (0.2, 0.25, 0.2),
]
CHILD_TOPS = [(0.95, 0.75, 0.05), (0.95, 0.25, 0.5), (0.1, 0.7, 0.85), (0.45, 0.85, 0.2), (0.95, 0.4, 0.1)]
TROUSERS = [(0.08, 0.1, 0.2), (0.05, 0.05, 0.06), (0.4, 0.35, 0.25), (0.2, 0.2, 0.22)]


def _pick(rng: np.random.Generator, choices: list) -> tuple:
    return choices[rng.integers(len(choices))]


def _person(
    height: float, top: tuple, trousers: tuple, skin: tuple, hair: tuple, head: float, stride: float
) -> List[Mesh]:
    """A standing or walking figure; ``head`` is the head's share of the height."""
    h = height
    hip, neck, top_of_arm = 0.48 * h, (1 - head) * h, (0.97 - head) * h
    radius = head * h / 2
    parts = [
        tube((0, 0, hip * 0.95), (0, 0, top_of_arm), 0.098 * h, CLOTH, top, 8, tip=1.08),
        ellipsoid((0, 0, neck + radius), (radius * 0.85, radius * 0.75, radius), SKIN, skin),
        ellipsoid((-radius * 0.2, 0, neck + radius * 1.2), (radius * 0.82, radius * 0.8, radius * 0.75), PLAIN, hair),
    ]
    for sign in (-1, 1):
        foot = sign * stride
        parts.append(
            tube((foot, sign * 0.055 * h, 0.03), (0, sign * 0.045 * h, hip), 0.04 * h, CLOTH, trousers, 6, 1.4)
        )
        parts.append(box((foot + 0.05, sign * 0.055 * h, 0.04), (0.14 * h, 0.055 * h, 0.07), PLAIN, BLACK))
        hand = (-foot * 0.8 + 0.02, sign * 0.15 * h, hip * 0.98)
        parts.append(tube((0, sign * 0.115 * h, top_of_arm), hand, 0.035 * h, CLOTH, top, 6, 0.8))
        parts.append(ellipsoid(hand, (0.03 * h,) * 3, SKIN, skin, subdivisions=0))
    return parts


def adult(rng: np.random.Generator) -> Mesh:
    """A grown-up of 1.55 to 1.9 m in muted clothes, sometimes with a bag."""
    top = _pick(rng, ADULT_TOPS)
    parts = _person(
        rng.uniform(1.55, 1.9),
        top,
        _pick(rng, TROUSERS),
        _pick(rng, SKIN_TONES),
        (0.05, 0.035, 0.03),
        0.13,
        rng.uniform(0.05, 0.28),
    )
    if rng.random() < 0.35:
        parts.append(box((-0.22, 0, 1.2), (0.16, 0.3, 0.4), CLOTH, rng.uniform(0.05, 0.35, 3)))
    return merge(parts)


def child(rng: np.random.Generator) -> Mesh:
    """A child of 1.0 to 1.3 m in bright clothes, with the larger head of its age and often a school bag."""
    top = _pick(rng, CHILD_TOPS)
    height = rng.uniform(1.0, 1.3)
    parts = _person(
        height, top, _pick(rng, CHILD_TOPS), _pick(rng, SKIN_TONES), (0.09, 0.05, 0.03), 0.19, rng.uniform(0.04, 0.18)
    )
    if rng.random() < 0.5:
        parts.append(box((-0.17, 0, height * 0.62), (0.14, 0.26, 0.3), CLOTH, _pick(rng, CHILD_TOPS)))
    return merge(parts)


def construction_worker(rng: np.random.Generator) -> Mesh:
    """A grown-up with helmet and hi-vis vest."""
    height = rng.uniform(1.65, 1.85)
    vest = _pick(rng, [(0.95, 0.35, 0.02), (0.7, 0.9, 0.05)])
    parts = _person(
        height, vest, (0.12, 0.14, 0.3), _pick(rng, SKIN_TONES), (0.9, 0.8, 0.1), 0.13, rng.uniform(0.02, 0.2)
    )
    parts.append(tube((0, 0, 0.6 * height), (0, 0, 0.64 * height), 0.112 * height, SIGN, (0.85, 0.85, 0.8), 8))
    parts.append(ellipsoid((0, 0, height * 0.97), (0.13, 0.12, 0.075), PLAIN, (0.9, 0.8, 0.1)))
    return merge(parts)


def _spoked_wheel(x: float, radius: float, tyre: float) -> List[Mesh]:
    """A thin ring (open, so that rays pass between the spokes) with four spokes."""
    angle = np.arange(13) * (2 * np.pi / 12)
    rim = np.stack([x + (radius - tyre) * np.cos(angle), np.zeros(13), radius + (radius - tyre) * np.sin(angle)], 1)
    parts = [tube(rim[i], rim[i + 1], tyre, TYRE, BLACK, 4) for i in range(12)]
    for i in range(0, 12, 3):
        parts.append(tube((x, 0, radius), rim[i], 0.012, PLAIN, CHROME, 3))
    return parts


def _rider(rng: np.random.Generator, seat: float, lean: float, helmet: bool) -> List[Mesh]:
    top, skin = _pick(rng, ADULT_TOPS + CHILD_TOPS[:2]), _pick(rng, SKIN_TONES)
    shoulder = np.array([-0.15 + lean, 0.0, seat + 0.55])
    parts = [
        tube((-0.2, 0, seat), shoulder, 0.16, CLOTH, top, 8, 1.1),
        ellipsoid(shoulder + [0.06, 0, 0.22], (0.11, 0.1, 0.13), SKIN, skin),
        ellipsoid(shoulder + [0.05, 0, 0.28], (0.13, 0.12, 0.11), PLAIN, rng.uniform(0.1, 0.9, 3) if helmet else BLACK),
    ]
    for sign in (-1, 1):
        knee = np.array([0.22, sign * 0.13, seat - 0.12])
        parts += [
            tube((-0.2, sign * 0.09, seat), knee, 0.085, CLOTH, _pick(rng, TROUSERS), 6, 0.8),
            tube(knee, (0.08, sign * 0.13, seat - 0.55), 0.06, CLOTH, (0.08, 0.08, 0.12), 6, 0.8),
            tube(shoulder + [0, sign * 0.17, -0.03], (0.42, sign * 0.25, seat + 0.22), 0.05, CLOTH, top, 6, 0.8),
        ]
    return parts


def bicycle(rng: np.random.Generator, ridden: bool = False) -> Mesh:
    """A bicycle of 1.7 m, with a rider when ``ridden``."""
    colour = tuple(rng.uniform(0.05, 0.8, 3))
    hub, seat, bottom, head = (-0.52, 0, 0.34), (-0.2, 0, 0.9), (-0.05, 0, 0.3), (0.36, 0, 0.85)
    parts = _spoked_wheel(-0.52, 0.34, 0.03) + _spoked_wheel(0.52, 0.34, 0.03)
    for start, end in (
        (hub, seat),
        (hub, bottom),
        (bottom, seat),
        (bottom, head),
        (seat, head),
        (head, (0.52, 0, 0.34)),
    ):
        parts.append(tube(start, end, 0.028, PAINT, colour, 5))
    parts.append(box((-0.22, 0, 0.95), (0.26, 0.15, 0.07), PLAIN, BLACK))
    parts.append(tube((0.4, -0.28, 1.02), (0.4, 0.28, 1.02), 0.022, PLAIN, BLACK, 5))
    parts.append(tube((0.36, 0, 0.85), (0.4, 0, 1.02), 0.022, PLAIN, CHROME, 5))
    if ridden:
        parts += _rider(rng, 0.97, 0.12, rng.random() < 0.6)
    return merge(parts)


def motorcycle(rng: np.random.Generator, ridden: bool = False) -> Mesh:
    """A motorcycle or scooter of 2 m, with a helmeted rider when ``ridden``."""
    colour = _pick(rng, [(0.6, 0.05, 0.05), (0.05, 0.1, 0.5), (0.08, 0.08, 0.08), (0.75, 0.75, 0.72), (0.1, 0.4, 0.2)])
    parts = []
    for x in (-0.66, 0.7):
        parts.append(tube((x, -0.07, 0.3), (x, 0.07, 0.3), 0.3, TYRE, BLACK, 14))
        parts.append(tube((x, -0.08, 0.3), (x, 0.08, 0.3), 0.16, PLAIN, CHROME, 8))
    parts += [
        prism([(-0.5, 0.35), (0.35, 0.3), (0.45, 0.75), (0.1, 0.88), (-0.75, 0.72)], 0.3, PAINT, colour),
        prism([(-0.9, 0.68), (-0.6, 0.55), (-0.5, 0.78), (-0.85, 0.85)], 0.24, PAINT, colour),
        box((-0.3, 0, 0.84), (0.75, 0.26, 0.1), PLAIN, BLACK),
        box((0.02, 0, 0.4), (0.45, 0.36, 0.3), PLAIN, GREY),
        box((0.56, 0, 0.86), (0.16, 0.26, 0.26), PAINT, colour),
        box((0.645, 0, 0.88), (0.04, 0.16, 0.14), LAMP, (1.0, 0.95, 0.8)),
        box((-0.92, 0, 0.75), (0.04, 0.16, 0.09), LAMP, (0.8, 0.02, 0.02)),
        tube((0.45, -0.36, 1.02), (0.45, 0.36, 1.02), 0.025, PLAIN, BLACK, 5),
    ]
    for sign in (-1, 1):
        parts.append(tube((0.7, sign * 0.11, 0.3), (0.45, sign * 0.1, 1.0), 0.03, PLAIN, CHROME, 5))
    if ridden:
        parts += _rider(rng, 0.9, 0.1, True)
    return merge(parts)


def traffic_cone(rng: np.random.Generator) -> Mesh:
    """A cone of 0.7 to 0.95 m, orange with reflecting bands."""
    height = rng.uniform(0.7, 0.95)
    orange = (0.95, 0.25, 0.03)
    edges, colours = [0.05, 0.35, 0.5, 0.65, 0.8, 1.0], [orange, (0.9, 0.9, 0.88), orange, (0.9, 0.9, 0.88), orange]
    parts = [box((0, 0, 0.025), (0.4, 0.4, 0.05), PLAIN, (0.08, 0.06, 0.06))]
    for i, colour in enumerate(colours):
        low, high = 0.17 - 0.13 * edges[i], 0.17 - 0.13 * edges[i + 1]
        material = SIGN if i % 2 else PLAIN
        parts.append(
            tube((0, 0, edges[i] * height), (0, 0, edges[i + 1] * height), low, material, colour, 10, high / low)
        )
    return merge(parts)


def barrier(rng: np.random.Generator, colour: tuple, length: float = 2.0) -> Mesh:
    """One water-filled or concrete road barrier, its length across the direction that it faces (x)."""
    right = [(0.28, 0.02), (0.26, 0.2), (0.12, 0.5), (0.1, 1.0)]
    outline = [(-x, z) for x, z in right[:1]] + right + [(-x, z) for x, z in right[:0:-1]]
    shape = prism(outline, length - 0.06, PLAIN, colour)
    parts = [
        shape,
        frustum((-0.13, 0.13, -0.3, 0.3), (-0.13, 0.13, -0.3, 0.3), 0.62, 0.85, STRIPES, (0.85, 0.12, 0.05)),
    ]
    if rng.random() < 0.3:
        parts.append(tube((0, length * 0.4, 1.0), (0, length * 0.4, 1.25), 0.07, LAMP, (1.0, 0.55, 0.05), 6))
    return merge(parts)
