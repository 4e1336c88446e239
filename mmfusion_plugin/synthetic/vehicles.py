"""Shapes of vehicles: x forward, y left, standing on z = 0, centred on the middle of their length and width."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.synthetic.materials import LAMP, PAINT, PLAIN, PLATE, RIBBED, SIGN, TYRE, WINDOW
from mmfusion_plugin.synthetic.meshes import Mesh, box, frustum, merge, prism, tube

BLACK, GREY, CHROME = (0.03, 0.03, 0.035), (0.25, 0.25, 0.26), (0.6, 0.6, 0.62)
GLASS = (0.04, 0.05, 0.06)
CAR_COLOURS = [
    (0.85, 0.85, 0.86), (0.72, 0.73, 0.75), (0.1, 0.1, 0.11), (0.3, 0.31, 0.33), (0.55, 0.04, 0.05),
    (0.05, 0.12, 0.38), (0.8, 0.75, 0.6), (0.04, 0.25, 0.55), (0.35, 0.2, 0.12), (0.75, 0.6, 0.05),
]  # fmt: skip


def _wheel(x: float, y: float, radius: float, width: float) -> List[Mesh]:
    half = width / 2
    outside = np.sign(y) * (half + 0.012)
    return [
        tube((x, y - half, radius), (x, y + half, radius), radius, TYRE, (0.025, 0.025, 0.025), sides=14),
        tube((x, y, radius), (x, y + outside, radius), radius * 0.6, PLAIN, CHROME, sides=8),
    ]


def _wheels(axles: List[float], width: float, radius: float = 0.33, tyre: float = 0.22) -> List[Mesh]:
    parts: List[Mesh] = []
    for x in axles:
        for sign in (-1, 1):
            parts += _wheel(x, sign * (width / 2 - tyre / 2), radius, tyre)
    return parts


def _lights(front: float, back: float, width: float, z: float) -> List[Mesh]:
    """White lamps in front, red ones behind, and a number plate at each end."""
    parts = []
    for sign in (-1, 1):
        y = sign * (width / 2 - 0.28)
        parts.append(box((front - 0.03, y, z), (0.08, 0.34, 0.16), LAMP, (1.0, 0.97, 0.85)))
        parts.append(box((back + 0.03, y, z + 0.06), (0.08, 0.26, 0.18), LAMP, (0.75, 0.02, 0.02)))
    parts.append(box((front, 0, z - 0.22), (0.05, 0.5, 0.12), PLATE, (0.9, 0.9, 0.85)))
    parts.append(box((back, 0, z - 0.15), (0.05, 0.5, 0.12), PLATE, (0.9, 0.85, 0.4)))
    return parts


def car(rng: np.random.Generator) -> Mesh:
    """Saloon, hatchback, SUV or van, 3.9 to 5 m long."""
    kind = rng.integers(4)
    length, width, height = [(4.65, 1.82, 1.45), (4.05, 1.76, 1.5), (4.6, 1.92, 1.74), (4.95, 1.95, 2.0)][kind]
    length, height = length * rng.uniform(0.96, 1.04), height * rng.uniform(0.97, 1.03)
    colour = CAR_COLOURS[rng.integers(len(CAR_COLOURS))]
    front, back = length / 2, -length / 2
    belt = height * (0.62 if kind < 2 else 0.6)
    hood = front - (0.27 if kind < 3 else 0.14) * length
    tail = back + (0.16, 0.02, 0.02, 0.01)[kind] * length
    body = [
        (back + 0.1, 0.28), (front - 0.12, 0.24), (front, 0.42), (front - 0.06, belt * 0.78), (hood, belt),
        (back + 0.06, belt), (back, belt * 0.8), (back, 0.42),
    ]  # fmt: skip
    roof = (tail + 0.1 * length, hood - 0.17 * length, -width * 0.37, width * 0.37)
    base = (tail, hood, -width * 0.47, width * 0.47)
    pillars = [
        tube((hood, s * width * 0.465, belt), (roof[1], s * width * 0.37, height - 0.05), 0.04, PAINT, colour, 4)
        for s in (-1, 1)
    ]
    middle = (roof[0] + roof[1]) / 2
    pillars += [box((middle, s * width * 0.42, (belt + height) / 2), (0.09, 0.17, height - belt), PAINT, colour)
                for s in (-1, 1)]  # fmt: skip
    parts = [
        prism(body, width * 0.97, PAINT, colour),
        frustum(base, roof, belt, height - 0.05, WINDOW, GLASS),
        frustum(
            roof, (roof[0] + 0.1, roof[1] - 0.1, *np.multiply(roof[2:], 0.9)), height - 0.05, height, PAINT, colour
        ),
        box((front - 0.02, 0, 0.42), (0.06, width * 0.55, 0.16), PLAIN, BLACK),
        box((0, 0, 0.27), (length * 0.6, width * 0.99, 0.12), PLAIN, BLACK),
        *pillars,
        *_wheels([front - 0.19 * length, back + 0.19 * length], width),
        *_lights(front, back, width, belt * 0.72),
    ]
    for sign in (-1, 1):
        parts.append(box((hood - 0.25, sign * width * 0.52, belt + 0.06), (0.16, 0.14, 0.13), PAINT, colour))
    return merge(parts)


def _cab(front: float, width: float, height: float, colour: tuple) -> List[Mesh]:
    return [
        prism(
            [(front - 1.75, 0.55), (front, 0.45), (front, 1.5), (front - 0.18, height), (front - 1.75, height)],
            width, PAINT, colour,
        ),
        frustum((front - 0.5, front + 0.012, -width * 0.45, width * 0.45),
                (front - 0.5, front - 0.15, -width * 0.42, width * 0.42), 1.5, height - 0.25, WINDOW, GLASS),
        box((front - 0.8, 0, (1.5 + height) / 2 - 0.1), (0.75, width + 0.03, height - 1.85), WINDOW, GLASS),
        box((front - 0.02, 0, 0.75), (0.08, width * 0.7, 0.35), PLAIN, BLACK),
    ]  # fmt: skip


def truck(rng: np.random.Generator) -> Mesh:
    """Delivery truck with a box, or with an open bed and stakes; 6 to 9 m."""
    length, width, height = rng.uniform(6.2, 9.0), 2.4, rng.uniform(2.9, 3.5)
    colour = [(0.85, 0.85, 0.85), (0.12, 0.25, 0.5), (0.65, 0.1, 0.08), (0.9, 0.75, 0.2)][rng.integers(4)]
    cargo = [(0.88, 0.88, 0.86), (0.2, 0.4, 0.62), (0.8, 0.55, 0.12), (0.75, 0.76, 0.78)][rng.integers(4)]
    front, back = length / 2, -length / 2
    bed = (back + front - 1.95) / 2
    size = front - 1.95 - back
    parts = _cab(front, width * 0.92, min(2.6, height - 0.3), colour)
    parts.append(box((bed, 0, 0.82), (size, width * 0.5, 0.25), PLAIN, BLACK))
    if rng.random() < 0.65:
        parts.append(box((bed, 0, (0.98 + height) / 2), (size, width, height - 0.98), PAINT, cargo))
        stripe = tuple(1.0 - 0.8 * np.array(cargo))
        parts.append(box((bed, 0, 1.9), (size * 0.6, width + 0.02, 0.55), SIGN, stripe))
        parts.append(box((back, 0, 2.0), (0.03, 0.03, 1.9), PLAIN, GREY))
    else:
        parts.append(box((bed, 0, 1.05), (size, width, 0.2), PLAIN, GREY))
        for sign in (-1, 1):
            parts.append(box((bed, sign * (width / 2 - 0.03), 1.45), (size, 0.05, 0.6), PAINT, cargo))
        for x in np.linspace(back + 0.1, back + size - 0.1, 4):
            parts.append(box((x, 0, 2.2), (0.06, width, 0.06), PLAIN, GREY))
            for sign in (-1, 1):
                parts.append(box((x, sign * (width / 2 - 0.04), 1.7), (0.06, 0.06, 1.1), PLAIN, GREY))
        for _ in range(5):
            place = (rng.uniform(back + 0.6, back + size - 0.6), rng.uniform(-0.7, 0.7), 1.5)
            parts.append(box(place, (0.8, 0.8, 0.7), PLAIN, rng.uniform(0.15, 0.5, 3)))
    parts += _wheels([front - 1.2, back + 0.22 * length], width, 0.48, 0.3)
    parts.append(box((back - 0.02, 0, 0.6), (0.08, width * 0.9, 0.14), SIGN, (0.8, 0.15, 0.05)))
    return merge(parts + _lights(front + 0.02, back - 0.02, width, 0.85))


def bus(rng: np.random.Generator) -> Mesh:
    """City bus of 10 to 12 m, one or two decks, with a band of windows and a lit destination sign."""
    length, width = rng.uniform(10.0, 12.0), 2.55
    height = 4.2 if rng.random() < 0.3 else 3.05
    colour = [(0.75, 0.08, 0.08), (0.1, 0.45, 0.25), (0.88, 0.85, 0.75), (0.45, 0.1, 0.45)][rng.integers(4)]
    front, back = length / 2, -length / 2
    parts = [
        prism([(back, 0.35), (front - 0.1, 0.35), (front, 1.0), (front - 0.12, height - 0.1), (front - 0.4, height),
               (back + 0.15, height), (back, height - 0.2)], width, PAINT, colour),
        box((front - 0.05, 0, 1.9), (0.12, width * 0.9, 1.3), WINDOW, GLASS),
        box((back + 0.02, 0, 2.2), (0.06, width * 0.75, 0.8), WINDOW, GLASS),
        box((front - 0.06, 0, height - 0.32), (0.16, width * 0.6, 0.26), LAMP, (1.0, 0.6, 0.1)),
        box((0, 0, 0.62), (length * 0.98, width + 0.01, 0.1), PLAIN, BLACK),
    ]  # fmt: skip
    levels = [1.95] if height < 4 else [1.8, 3.35]
    for z in levels:
        for x in np.arange(back + 0.9, front - 1.0, 1.45):
            parts.append(box((x + 0.3, 0, z), (1.25, width + 0.03, 0.95), WINDOW, GLASS))
    for x in (front - 1.0, 0.5):
        parts.append(box((x, -width / 2, 1.35), (1.1, 0.06, 1.9), WINDOW, (0.06, 0.07, 0.08)))
    parts += _wheels([front - 2.4, back + 2.8], width + 0.02, 0.5, 0.3)
    return merge(parts + _lights(front + 0.02, back - 0.01, width, 0.85))


def trailer(rng: np.random.Generator) -> Mesh:
    """Parked semi-trailer: a ribbed container or a flat bed on twin axles, with legs and no cab."""
    length, width, height = rng.uniform(7.5, 12.0), 2.45, rng.uniform(3.3, 3.9)
    colour = [(0.5, 0.2, 0.12), (0.12, 0.28, 0.42), (0.35, 0.4, 0.35), (0.62, 0.6, 0.55)][rng.integers(4)]
    front, back = length / 2, -length / 2
    parts = [box((0, 0, 1.12), (length, width * 0.9, 0.2), PLAIN, GREY)]
    if rng.random() < 0.75:
        parts.append(box((0, 0, (1.25 + height) / 2), (length, width, height - 1.25), RIBBED, colour))
        for sign in (-1, 1):
            parts.append(box((back - 0.02, sign * 0.3, 2.3), (0.05, 0.04, 2.0), PLAIN, CHROME))
    else:
        parts.append(box((front - 0.1, 0, 1.8), (0.12, width, 1.2), RIBBED, colour))
        for x in (-0.25 * length, 0.12 * length):
            for row in range(3):
                place = (x, (row - 1) * 0.7, 1.55)
                parts.append(tube((place[0] - 1.5, *place[1:]), (place[0] + 1.5, *place[1:]), 0.33, PLAIN, CHROME, 10))
    for sign in (-1, 1):
        parts.append(box((front - 1.6, sign * 0.8, 0.55), (0.15, 0.15, 1.1), PLAIN, CHROME))
        parts.append(box((0.3, sign * width * 0.47, 0.75), (length * 0.35, 0.05, 0.4), PLAIN, GREY))
    parts += _wheels([back + 0.9, back + 2.15], width, 0.5, 0.35)
    parts.append(box((back - 0.01, 0, 0.7), (0.06, width * 0.9, 0.16), SIGN, (0.85, 0.25, 0.05)))
    return merge(parts)


def construction_vehicle(rng: np.random.Generator) -> Mesh:
    """Excavator on tracks with boom, stick and bucket, or a wheel loader; construction yellow or orange."""
    colour = [(0.85, 0.55, 0.03), (0.9, 0.35, 0.03), (0.85, 0.7, 0.1)][rng.integers(3)]
    parts = []
    if rng.random() < 0.65:
        for sign in (-1, 1):
            parts.append(
                prism([(-1.6, 0.05), (1.6, 0.05), (1.9, 0.45), (1.6, 0.85), (-1.6, 0.85), (-1.9, 0.45)],
                      0.55, TYRE, BLACK, y=sign * 0.95)
            )  # fmt: skip
        parts += [
            box((0, 0, 0.8), (1.2, 1.3, 0.5), PLAIN, GREY),
            box((-0.5, 0, 1.55), (2.9, 2.35, 1.0), PAINT, colour),
            box((0.45, 0.65, 2.2), (1.25, 1.0, 1.7), WINDOW, GLASS),
            box((0.45, 0.65, 3.05), (1.35, 1.1, 0.1), PAINT, colour),
            box((-1.7, 0, 1.75), (0.6, 2.3, 1.1), PLAIN, GREY),
        ]
        lift = rng.uniform(0.0, 0.8)
        elbow, wrist = np.array([2.9, -0.3, 3.6 + lift]), np.array([4.5, -0.3, 1.4 + lift])
        parts += [
            tube((0.8, -0.3, 1.7), elbow, 0.27, PAINT, colour, 6),
            tube(elbow, wrist, 0.2, PAINT, colour, 6),
            tube((1.2, -0.3, 1.5), elbow * 0.8 + [0, -0.06, 0.0], 0.09, PLAIN, CHROME, 6),
            prism([(3.9, wrist[2] - 0.75), (4.6, wrist[2] - 0.8), (4.85, wrist[2] - 0.1), (4.4, wrist[2] + 0.15)],
                  1.0, PLAIN, GREY, y=-0.3),
        ]  # fmt: skip
    else:
        parts += [
            box((-1.0, 0, 1.4), (2.6, 1.7, 1.1), PAINT, colour),
            box((0.2, 0, 2.3), (1.4, 1.5, 1.7), WINDOW, GLASS),
            box((0.2, 0, 3.2), (1.5, 1.6, 0.12), PAINT, colour),
            box((1.5, 0, 1.1), (1.2, 1.1, 0.7), PAINT, colour),
            prism([(2.9, 0.25), (4.0, 0.2), (3.2, 1.25), (2.8, 1.1)], 2.5, PLAIN, GREY),
        ]
        for sign in (-1, 1):
            parts.append(tube((1.0, sign * 0.7, 1.5), (3.0, sign * 0.7, 0.7), 0.12, PAINT, colour, 6))
        parts += _wheels([-1.5, 1.35], 2.3, 0.68, 0.5)
    parts.append(tube((0.4, 0.6, 3.1), (0.4, 0.6, 3.35), 0.08, LAMP, (1.0, 0.5, 0.05), 6))
    shape = merge(parts)
    return shape.moved(x=-float(shape.bounds[:, 0].mean()), y=-float(shape.bounds[:, 1].mean()))
