"""Procedural textures of what is indoors, compiled. Patterns fade where a pixel covers more than one period."""

from __future__ import annotations

import math

import numba as nb

from mmfusion_plugin.synthetic.textures import RGB, fade, hashed, noise

PAINTED, WALLPAPER, PARQUET, CARPET, TILE, WOOD, FABRIC, GLAZED, STEEL, BOOKS, PICTURE = range(11)
CURTAIN, SHOWER, DOOR, PANE, FRONTS, FRIDGE, GLOW, SCREEN, STONE, LEAVES = range(11, 21)


@nb.njit(cache=True, error_model='numpy', inline='always')
def _within(x: float, period: float) -> float:
    return x - math.floor(x / period) * period


@nb.njit(cache=True, error_model='numpy')
def _picture(s: float, t: float, seed: float) -> RGB:
    """A painting about the origin: two tones of ground and sky, a ridge between, and two blots."""
    code = int(seed * 65536)
    ridge = 0.12 * (noise(s * 5.0, 1.0, code) - 0.5) + 0.1 * (hashed(1, 2, code) - 0.5)
    low = 0 if t < ridge else 3
    r, g, b = hashed(low, 11, code), hashed(low + 1, 11, code), hashed(low + 2, 11, code)
    for blot in range(2):
        x, y = 0.4 * (hashed(blot, 21, code) - 0.5), 0.4 * (hashed(blot, 22, code) - 0.5)
        if (s - x) ** 2 + (t - y) ** 2 < (0.04 + 0.06 * hashed(blot, 23, code)) ** 2:
            r, g, b = hashed(blot, 24, code), hashed(blot, 25, code), hashed(blot, 26, code)
    shade = 0.6 + 0.7 * noise(s * 14.0, t * 14.0, code + 1)
    return (0.05 + 0.8 * r) * shade, (0.05 + 0.8 * g) * shade, (0.05 + 0.8 * b) * shade


@nb.njit(cache=True, error_model='numpy')
def _outdoors(s: float, t: float, seed: float) -> RGB:
    """What a window shows, bright: sky over trees, behind white bars."""
    if abs(_within(s + 0.3, 0.6) - 0.3) < 0.02 or abs(t - 0.1) < 0.02:
        return 0.8, 0.8, 0.78
    code = int(seed * 65536)
    if t > -0.2 + 0.35 * noise(s * 3.0, 1.0, code):
        haze = 0.2 * noise(s * 1.5, t * 2.0, code + 1)
        return 0.95 + haze, 1.15 + haze, 1.45
    leaf = 0.5 + noise(s * 12.0, t * 12.0, code + 2)
    return 0.32 * leaf, 0.5 * leaf, 0.22 * leaf


@nb.njit(cache=True, error_model='numpy')
def _books(s: float, t: float, footprint: float, seed: float) -> RGB:
    """Spines of 2 to 5 cm, each of its own colour, with a lighter title."""
    code = int(seed * 65536)
    cell = int(math.floor(s / 0.07))
    split = 0.3 + 0.4 * hashed(cell, 3, code)
    place = s / 0.07 - cell
    book = 2 * cell + (1 if place > split else 0)
    r, g, b = hashed(book, 5, code), hashed(book, 6, code), hashed(book, 7, code)
    grey = 0.08 + 0.06 * (r + g + b)
    r, g, b = 0.3 * r + grey, 0.3 * g + grey, 0.3 * b + grey
    gap = 1.0 - 0.7 * fade(0.03, footprint) * (1.0 if abs(place - split) < 0.05 or place < 0.04 else 0.0)
    title = 0.25 * fade(0.05, footprint) * (1.0 if 0.1 < _within(t, 0.32) < 0.16 else 0.0)
    return r * gap + title, g * gap + title, b * gap + title


@nb.njit(cache=True, error_model='numpy')
def _cloth(what: int, s: float, t: float, footprint: float, seed: float) -> float:
    """Factor of curtains: vertical folds that are painted, not shaped; shower curtains have rings of dots."""
    code = int(seed * 65536)
    fold = math.sin(s * 45.0 + 2.5 * noise(s * 4.0, t * 0.6, code)) * fade(0.14, footprint)
    factor = 0.8 + 0.22 * fold
    if what == SHOWER:
        x, y = _within(s, 0.16) - 0.08, _within(t, 0.16) - 0.08
        ring = math.sqrt(x * x + y * y)
        if 0.03 < ring < 0.055:
            factor *= 1.0 - 0.55 * fade(0.08, footprint)
    return factor


@nb.njit(cache=True, error_model='numpy')
def _panels(what: int, s: float, t: float, seed: float) -> float:
    """Factor of doors (two sunk panels, about the middle of their base), cabinet fronts and refrigerators (seams)."""
    if what == DOOR:
        for low, high in ((0.2, 0.85), (1.0, 1.85)):
            x, y = abs(s) - 0.3, abs(t - 0.5 * (low + high)) - 0.5 * (high - low)
            edge = max(x, y)
            if -0.025 < edge < 0.0:
                return 0.62
            if edge <= -0.025:
                return 0.92
        return 0.3 if 0.34 < s < 0.4 and 0.98 < t < 1.06 else 1.0
    if what == FRIDGE:
        if abs(t - 1.12) < 0.008:
            return 0.25
        return 0.45 if 0.24 < s < 0.27 and (0.75 < t < 1.05 or 1.2 < t < 1.45) else 1.0
    wide = 0.42 + 0.1 * seed
    x = _within(s, wide)
    if x < 0.008 or _within(t, 0.72) < 0.008:
        return 0.35
    return 0.3 if 0.05 < x < 0.065 and 0.45 < _within(t, 0.72) < 0.6 else 1.0


@nb.njit(cache=True, error_model='numpy')
def _floor_factor(what: int, s: float, t: float, footprint: float) -> float:
    """Factor of floors and tiled walls."""
    if what == PARQUET:
        row = int(math.floor(t / 0.11))
        shift = 0.9 * hashed(row, 1, 7)
        plank = int(math.floor((s + shift) / 0.9))
        seam = 1.0 if _within(t, 0.11) < 0.004 or _within(s + shift, 0.9) < 0.004 else 0.0
        grain = 0.12 * (noise(s * 3.0, t * 60.0, row) - 0.5) * fade(0.05, footprint)
        return 0.85 + 0.3 * hashed(row, plank, 9) + grain - 0.4 * seam * fade(0.02, footprint)
    if what == TILE:
        joint = 1.0 if _within(s, 0.3) < 0.008 or _within(t, 0.3) < 0.008 else 0.0
        tone = hashed(int(math.floor(s / 0.3)), int(math.floor(t / 0.3)), 15)
        return 0.93 + 0.12 * tone - 0.4 * joint * fade(0.03, footprint)
    coarse = 0.9 + 0.2 * noise(s * 1.3, t * 1.3, 3)
    return coarse + 0.3 * (noise(s * 90.0, t * 90.0, 4) - 0.5) * fade(0.02, footprint)


@nb.njit('UniTuple(float64, 3)(int64, float64, float64, float64, float64, float64, float64, float64)', cache=True,
         error_model='numpy')  # fmt: skip
def indoors(what: int, r: float, g: float, b: float, s: float, t: float, footprint: float, seed: float) -> RGB:
    """Albedo RGB of material ``what`` of base colour ``r, g, b`` at metric surface coordinates ``s, t`` of its object.

    ``footprint`` is the width of a pixel there (m), ``seed`` 0..1 that of the object. A pane's "albedo" exceeds 1: it
    is the light outside.
    """
    code = int(seed * 65536)
    if what == PICTURE:
        return _picture(s, t, seed)
    if what == PANE:
        return _outdoors(s, t, seed)
    if what == BOOKS:
        return _books(s, t, footprint, seed)
    factor = 1.0
    if what == PAINTED:
        factor = 0.96 + 0.08 * noise(s * 0.8, t * 0.8, code)
    elif what == WALLPAPER:
        stripe = 1.0 if _within(s, 0.24) < 0.12 else 0.0
        factor = 0.96 + 0.06 * noise(s * 0.8, t * 0.8, code) + 0.1 * (stripe - 0.5) * fade(0.24, footprint)
    elif what == PARQUET or what == TILE or what == CARPET:
        factor = _floor_factor(what, s, t, footprint)
    elif what == WOOD:
        factor = 0.85 + 0.3 * noise(s * 2.0, t * 30.0, code) * fade(0.06, footprint) + 0.1 * noise(s, t * 4.0, code + 1)
    elif what == FABRIC:
        factor = 0.85 + 0.2 * noise(s * 6.0, t * 6.0, code)
        factor += 0.25 * (noise(s * 120.0, t * 120.0, code) - 0.5) * fade(0.02, footprint)
    elif what == CURTAIN or what == SHOWER:
        factor = _cloth(what, s, t, footprint, seed)
    elif what == DOOR or what == FRONTS or what == FRIDGE:
        factor = _panels(what, s, t, seed)
    elif what == STONE:
        factor = 0.8 + 0.4 * noise(s * 40.0, t * 40.0, code) * fade(0.05, footprint) + 0.2 * (1 - fade(0.05, footprint))
    elif what == SCREEN:
        factor = 0.8 + 0.4 * noise(s * 3.0, t * 3.0, code)
    elif what == LEAVES:
        factor = 0.5 + noise(s * 25.0, t * 25.0, code)
    elif what == GLOW:
        factor = 2.2
    return r * factor, g * factor, b * factor
