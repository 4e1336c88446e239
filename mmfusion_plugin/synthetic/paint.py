"""What is painted on a street's ground: lane lines, arrows, crossings, stains; and the map prior beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from mmfusion_plugin.synthetic.street import Street

SCALE = 20.0
HALF_WIDTH = 40.0


def paint_road(rng: np.random.Generator, street: Street) -> Tuple[np.ndarray, np.ndarray, Tuple[float, float], float]:
    """Returns ``paint (rows, columns, 3)`` uint8 (white, yellow, dark), ``drivable (rows, columns)`` uint8 255 on road
    and pavement (the map prior of nuScenes), the (x, y) m of pixel (0, 0), and pixels per metre."""
    x0, y0 = street.start, -HALF_WIDTH
    columns, rows = int((street.end - x0) * SCALE), int(2 * HALF_WIDTH * SCALE)
    layers = [np.zeros((rows, columns), dtype=np.uint8) for _ in range(3)]
    white, yellow, dark = layers

    def bar(layer: np.ndarray, xa: float, xb: float, ya: float, yb: float, value: int = 235) -> None:
        corner = [(int(round((x - x0) * SCALE)), int(round((y - y0) * SCALE))) for x, y in ((xa, ya), (xb, yb))]
        cv2.rectangle(layer, corner[0], corner[1], value, -1)

    for x, length in zip(rng.uniform(street.start, street.end, 60), rng.uniform(2, 9, 60)):
        y = rng.uniform(-street.kerb, street.kerb)
        bar(dark, x, x + length, y, y + rng.uniform(0.6, 2.5), int(rng.integers(20, 70)))
    for x in rng.uniform(street.start, street.end, 25):
        centre = (int((x - x0) * SCALE), int((rng.uniform(-street.kerb, street.kerb) - y0) * SCALE))
        cv2.circle(dark, centre, int(0.33 * SCALE), 140, -1)
        cv2.circle(dark, centre, int(0.27 * SCALE), 90, 1)
    for _ in range(40):
        x, y = rng.uniform(street.start, street.end), rng.uniform(-street.kerb, street.kerb)
        path = np.cumsum(np.concatenate([[[x, y]], rng.normal([0.5, 0.0], 0.35, (14, 2))]), axis=0)
        cv2.polylines(dark, [((path - [x0, y0]) * SCALE).astype(np.int32)], False, 110, 1)

    hole = (street.crossing - street.cross_half - 4.5, street.crossing + street.cross_half + 4.5)
    for xa, xb in ((street.start, hole[0]), (hole[1], street.end)):
        for side in (-1, 1):
            y = side * (street.median + 0.05)
            bar(yellow, xa, xb, y - 0.07, y + 0.07)
            y = side * (street.kerb - 2.6)
            bar(white, xa, xb, y - 0.06, y + 0.06)
            for y in (side * (street.kerb - 0.25), side * (street.kerb - 0.5)):
                bar(yellow, xa, xb, y - 0.05, y + 0.05, 200)
            for lane in range(1, street.lanes):
                y = side * (street.median + lane * 3.5)
                for x in np.arange(xa, xb - 2, 6.0):
                    bar(white, x, x + 2.2, y - 0.07, y + 0.07)
    edge = 1 if street.own > 0 else -1
    for centre in (hole[0] + 2.2, hole[1] - 2.2):
        for y in np.arange(-street.kerb + 0.3, street.kerb - 0.3, 1.1):
            bar(white, centre - 1.4, centre + 1.4, y, y + 0.55)
    low, high = sorted((edge * street.median, edge * (street.kerb - 2.6)))
    bar(white, hole[0] - 0.9, hole[0] - 0.5, low, high)
    for x in (hole[0] - 12.0, hole[0] - 34.0):
        for lane in range(street.lanes):
            _arrow(white, x, edge * (street.median + (lane + 0.5) * 3.5), x0, y0)
    wear = (rng.random((rows // 8 + 1, columns // 8 + 1)) * 255).astype(np.uint8)
    wear = cv2.resize(wear, (columns, rows), interpolation=cv2.INTER_LINEAR)
    for layer in (white, yellow):
        layer[wear > 205] = (layer[wear > 205] * 0.55).astype(np.uint8)

    drivable = np.zeros((rows, columns), dtype=np.uint8)
    bar(drivable, street.start, street.end, -street.kerb, street.kerb, 255)
    bar(
        drivable, street.crossing - street.cross_half, street.crossing + street.cross_half, -HALF_WIDTH, HALF_WIDTH, 255
    )
    for side in (-1, 1):
        near = street.kerb + 0.24 + street.verge[side]
        for xa, xb in street.stretches():
            low, high = sorted((side * near, side * (near + street.walk[side])))
            bar(drivable, xa, xb, low, high, 255)
    return np.ascontiguousarray(np.stack(layers, axis=-1)), drivable, (x0, y0), SCALE


def _arrow(layer: np.ndarray, x: float, y: float, x0: float, y0: float) -> None:
    """A straight-ahead arrow of 4.5 m."""
    shape = np.array([[0, -0.1], [2.8, -0.1], [2.8, -0.4], [4.5, 0], [2.8, 0.4], [2.8, 0.1], [0, 0.1]])
    cv2.fillPoly(layer, [((shape + [x - x0, y - y0]) * SCALE).astype(np.int32)], 235)
