"""A mounting sheet without its plant: aged paper with a label, slips, a stamp, a colour card, a ruler and stains."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple

import cv2
import numpy as np

from mmfusion_plugin.synthetic.herbarium_canvas import Canvas, ellipse, rotated

Box = Tuple[float, float, float, float]  # left, top, width and height (mm)

_INK = (52, 48, 46)
# Colours of a 24 patch colour rendition chart, row by row, as commonly given in 8 bit sRGB.
_PATCHES = (
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
)  # fmt: skip
_HEADS = ('HERBARIUM UNIVERSITATIS', 'MUSEUM HISTORIAE NATURALIS', 'HORTUS BOTANICUS', 'HERBARIUM GENERALE')
_SYLLABLES = ('ra', 'lo', 'men', 'ti', 'cus', 'ver', 'sal', 'be', 'qui', 'do', 'phy', 'lan', 'ma', 'cro', 'ne', 'ul')
_PLACES = ('in silvis', 'ad margines viarum', 'in pratis siccis', 'ad ripas', 'in collibus', 'in dumetis')


class Furniture(NamedTuple):
    """What lies on a sheet besides the plant: boxes (mm), by kind."""

    boxes: Dict[str, Box]


def paper(rng: np.random.Generator, shape: Tuple[int, int], scale: float) -> np.ndarray:
    """``(H, W, 3)`` uint8 BGR aged paper with fibres, yellowed edges, foxing and water marks."""
    height, width = shape
    tone = np.array([218.0, 232.0, 239.0]) + rng.normal(0, 5) + rng.normal(0, 1.2, 3)
    tone -= rng.uniform(0, 14) * np.array([1.7, 1.0, 0.7])
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    lamp = rng.normal(0, 0.025, 2)
    shade = 1 + lamp[0] * x + lamp[1] * y + _clouds(rng, shape, 5, 0.014) + _clouds(rng, shape, 60, 0.012)
    shade = shade.astype(np.float32) + 0.007 * rng.standard_normal(shape, np.float32)
    dirt = np.float32(rng.uniform(0.0, 0.07)) * np.maximum(x**6, y**6)
    for _ in range(int(rng.integers(0, 9))):
        _blot(rng, dirt)
    channels = (tone[k] * shade - stain * dirt for k, stain in enumerate((230.0, 150.0, 90.0)))
    pixels = cv2.merge([cv2.convertScaleAbs(cv2.max(channel.astype(np.float32), 0.0)) for channel in channels])
    canvas = Canvas(pixels, scale)
    for _ in range(int(rng.integers(8, 30))):  # fibres
        at = rng.uniform([0, 0], canvas.size)
        hair = at + np.cumsum(rng.normal(0, 1.2, (5, 2)), axis=0)
        canvas.line(hair, tuple(rng.uniform(0.86, 0.96) * tone[::-1]), 0.15)
    return pixels


def _clouds(rng: np.random.Generator, shape: Tuple[int, int], cells: int, strength: float) -> np.ndarray:
    """``(H, W)`` float32 smooth noise of about ``cells`` bumps along the shorter side."""
    coarse = rng.normal(0, strength, (cells * 3 // 2 + 2, cells + 2)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _blot(rng: np.random.Generator, dirt: np.ndarray) -> None:
    """Adds foxing, or now and then the rim of dried water, to the dirt ``(H, W)``."""
    height, width = dirt.shape
    centre, water = rng.uniform([0, 0], [width, height]), rng.random() < 0.2
    radius = rng.uniform(0.06, 0.2) * height if water else 0.0
    rim = 0.006 * height if water else rng.uniform(0.004, 0.025) * height
    strength = rng.uniform(0.03, 0.1) if water else rng.uniform(0.06, 0.35)
    low = np.maximum(centre - radius - 3 * rim, 0).astype(int)
    high = (centre + radius + 3 * rim).astype(int) + 1
    part = dirt[low[1] : high[1], low[0] : high[0]]
    x, y = (low[k] + np.arange(part.shape[1 - k], dtype=np.float32) - np.float32(centre[k]) for k in range(2))
    away = np.sqrt(x**2 + y[:, None] ** 2)
    part += np.float32(strength) * np.exp(-(((away - radius) / rim) ** 2))
    part += np.float32(0.02) * (away < radius)


def furnish(rng: np.random.Generator, canvas: Canvas) -> Furniture:
    """Lays label, slip, stamp, bar code, colour card, and ruler on the paper, most of them at random."""
    width, height = canvas.size
    boxes: Dict[str, Box] = {}
    size = rng.uniform(92, 112), rng.uniform(56, 70)
    right = rng.random() < 0.75
    left = width - size[0] - rng.uniform(4, 9) if right else rng.uniform(4, 9)
    boxes['label'] = (left, height - size[1] - rng.uniform(4, 9), *size)
    _label(rng, canvas, boxes['label'])
    if rng.random() < 0.75:
        place = rng.uniform(4, 10) if right else width - rng.uniform(66, 72), height - rng.uniform(24, 30)
        boxes['slip'] = (*place, rng.uniform(54, 64), rng.uniform(16, 20))
        _slip(rng, canvas, boxes['slip'])
    if rng.random() < 0.8:
        boxes['card'] = _card(rng, canvas)
    if rng.random() < 0.7:
        boxes['ruler'] = _ruler(rng, canvas, 'card' in boxes)
    if rng.random() < 0.7:
        boxes['code'] = _code(rng, canvas, width * rng.uniform(0.05, 0.2) if right else width * rng.uniform(0.6, 0.75))
    if rng.random() < 0.6:
        _stamp(rng, canvas, (width * rng.uniform(0.1, 0.9), height * rng.uniform(0.15, 0.6)))
    if rng.random() < 0.35:
        margin = rng.uniform(1.0, 5.0)  # the scanner's bed beside the sheet
        canvas.box((width - margin, 0), (margin, height), (38, 38, 40))
        canvas.box((0, height - 0.7 * margin), (width, margin), (38, 38, 40))
    return Furniture(boxes)


def _words(rng: np.random.Generator, syllables: int) -> str:
    return ''.join(_SYLLABLES[k] for k in rng.integers(len(_SYLLABLES), size=syllables))


def _lay(canvas: Canvas, box: Box, colour: Tuple[float, float, float]) -> None:
    """A piece of paper with the shadow of its edge."""
    canvas.box((box[0] + 0.7, box[1] + 0.7), box[2:], (186, 178, 162))
    canvas.box(box[:2], box[2:], colour)


def _label(rng: np.random.Generator, canvas: Canvas, box: Box) -> None:
    left, top, width, height = box
    _lay(canvas, box, tuple(rng.uniform(236, 250) + np.array([0.0, -2.0, -9.0])))
    if rng.random() < 0.6:
        inner = np.array([[2, 2], [width - 2, 2], [width - 2, height - 2], [2, height - 2], [2, 2]]) + box[:2]
        canvas.line(inner, _INK, 0.5)
    canvas.text((left + 6, top + 10), _HEADS[rng.integers(len(_HEADS))], 2.9, _INK)
    script = rng.random() < 0.5
    hand = (44, 48, 92) if script else _INK
    name = f'{_words(rng, 3).capitalize()} {_words(rng, 3)} L.'
    canvas.text((left + 8, top + 20), name, 4.2, hand, script)
    rows = [_PLACES[rng.integers(len(_PLACES))] + f', {rng.integers(20, 1900)} m',
            f'Leg. {_words(rng, 2).capitalize()}',
            f'{rng.integers(1, 29)}.{rng.integers(4, 10)}.{rng.integers(1870, 2004)}', f'No. {rng.integers(10, 9999)}',
            f'Det. {_words(rng, 3).capitalize()}']  # fmt: skip
    for number, words in enumerate(rows[: int((height - 30) // 8) + 1]):
        baseline = top + 30 + 8 * number
        canvas.text((left + 8, baseline), words, 2.7, hand, script)
        canvas.line(np.array([[left + 7, baseline + 1.6], [left + width - 8, baseline + 1.6]]), (150, 146, 140), 0.2)


def _slip(rng: np.random.Generator, canvas: Canvas, box: Box) -> None:
    _lay(canvas, box, (243, 240, 230))
    canvas.text((box[0] + 3, box[1] + 7), f'{_words(rng, 3).capitalize()} {_words(rng, 2)}', 2.6, _INK)
    by = f'det. {_words(rng, 2).capitalize()} {rng.integers(1960, 2020)}'
    canvas.text((box[0] + 3, box[1] + 13.5), by, 2.2, _INK)


def _card(rng: np.random.Generator, canvas: Canvas) -> Box:
    """A colour rendition chart in a corner at the top, or as a strip along the upper edge."""
    strip, patch = rng.random() < 0.5, rng.uniform(7.0, 9.0)
    columns = 12 if strip else 6
    size = columns * patch + 3, 24 // columns * patch + 3
    left = rng.uniform(5, 10) if rng.random() < 0.5 else canvas.size[0] - size[0] - rng.uniform(5, 10)
    box = (left, rng.uniform(5, 9), *size)
    _lay(canvas, box, (30, 30, 32))
    for number, colour in enumerate(_PATCHES):
        row, column = divmod(number, columns)
        corner = box[0] + 2 + column * patch, box[1] + 2 + row * patch
        canvas.box(corner, (patch - 1, patch - 1), colour)
    return box


def _ruler(rng: np.random.Generator, canvas: Canvas, card: bool) -> Box:
    """A ruler of whole centimetres up an edge."""
    length, wide = 10 * int(rng.integers(10, 21)), rng.uniform(9, 12)
    left = rng.uniform(2, 5) if rng.random() < 0.5 else canvas.size[0] - wide - rng.uniform(6, 9)
    box = (left, canvas.size[1] * 0.16 + 12 * card + rng.uniform(0, 20), wide, length + 8.0)
    white = rng.random() < 0.6
    ground, mark = ((244, 243, 238), (30, 30, 30)) if white else ((34, 34, 36), (232, 232, 230))
    _lay(canvas, box, ground)
    step = 1 if canvas.scale >= 2.5 else 5  # finer ticks would merge
    for millimetre in range(0, length + 1, step):
        reach = 0.5 if millimetre % 10 == 0 else 0.34 if millimetre % 5 == 0 else 0.2
        y = box[1] + 4 + millimetre
        canvas.line(np.array([[left, y], [left + reach * wide, y]]), mark, 0.25)
        if millimetre % 10 == 0 and canvas.scale >= 2.0:
            canvas.text((left + 0.55 * wide, y + 1.0), str(millimetre // 10), 2.2, mark)
    return box


def _code(rng: np.random.Generator, canvas: Canvas, left: float) -> Box:
    """A bar code with its number, near the top."""
    box = (left, canvas.size[1] * rng.uniform(0.14, 0.2), 44.0, 17.0)
    _lay(canvas, box, (249, 249, 247))
    x = left + 3
    while x < left + 40:
        bar = rng.uniform(0.3, 1.3)
        canvas.box((x, box[1] + 2), (bar, 9), (22, 22, 22))
        x += bar + rng.uniform(0.4, 1.3)
    canvas.text((left + 6, box[1] + 15), f'H{rng.integers(10**6, 10**7):08d}', 2.2, (22, 22, 22))
    return box


def _stamp(rng: np.random.Generator, canvas: Canvas, centre: Tuple[float, float]) -> None:
    """An ink stamp that lets the paper show through."""
    colour = ((96, 70, 140), (150, 60, 62), (60, 84, 140))[rng.integers(3)]
    inked = Canvas(canvas.pixels.copy(), canvas.scale)
    radius, tilt = rng.uniform(11, 15), rng.normal(0, 0.2)
    for share in (1.0, 0.72):
        ring = ellipse(centre, (radius, share * radius * 0.9 if share == 1.0 else 0.6 * radius), tilt, 48)
        inked.line(np.concatenate([ring, ring[:1]]), colour, 0.6)
    inked.text((centre[0] - 0.55 * radius, centre[1] + 1.2), _words(rng, 2).upper(), 3.0, colour)
    strength = rng.uniform(0.35, 0.75)
    cv2.addWeighted(inked.pixels, strength, canvas.pixels, 1 - strength, 0, dst=canvas.pixels)


def straps(rng: np.random.Generator, canvas: Canvas, places: List[Tuple[np.ndarray, float]]) -> None:
    """Gummed paper strips across stems at points (2,) with headings (rad)."""
    for point, heading in places:
        half, wide = rng.uniform(6, 10), rng.uniform(1.3, 2.0)
        strip = np.array([[-wide, -half], [wide, -half], [wide, half], [-wide, half]])
        placed = point + rotated(strip, heading + rng.normal(0, 0.12))
        canvas.fill(placed + 0.4, (176, 168, 152))
        canvas.fill(placed, tuple(rng.uniform(226, 244) + np.array([0.0, -3.0, -12.0])))
