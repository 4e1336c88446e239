"""Procedural textures of the materials, compiled. Patterns fade where a pixel covers more than one period."""

from __future__ import annotations

import math
from typing import Tuple

import numba as nb

from mmfusion_plugin.synthetic import materials as m

PAVER, GRASS, CONCRETE, KERB, BRICK, PLASTER = m.PAVER, m.GRASS, m.CONCRETE, m.KERB, m.BRICK, m.PLASTER
CURTAIN_WALL, LEAF, BARK, STRIPES, CLOTH, RIBBED = m.CURTAIN_WALL, m.LEAF, m.BARK, m.STRIPES, m.CLOTH, m.RIBBED
SIGN, DIRT, GRAVEL, WATER, ROAD = m.SIGN, m.DIRT, m.GRAVEL, m.WATER, m.ROAD
RGB = Tuple[float, float, float]


@nb.njit(cache=True, error_model='numpy', inline='always')
def hashed(x: int, y: int, seed: int) -> float:
    """A number 0..1 that looks random, of two lattice coordinates and a seed."""
    value = (x * 374761393 + y * 668265263 + seed * 974711) & 0xFFFFFFFF
    value = ((value ^ (value >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((value ^ (value >> 16)) & 0xFFFFFF) / 16777216.0


@nb.njit('float64(float64, float64, int64)', cache=True, error_model='numpy')
def noise(x: float, y: float, seed: int) -> float:
    """Smooth noise 0..1 with features of unit size."""
    ix, iy = int(math.floor(x)), int(math.floor(y))
    fx, fy = x - ix, y - iy
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    low = hashed(ix, iy, seed) * (1 - fx) + hashed(ix + 1, iy, seed) * fx
    high = hashed(ix, iy + 1, seed) * (1 - fx) + hashed(ix + 1, iy + 1, seed) * fx
    return low * (1 - fy) + high * fy


@nb.njit(cache=True, error_model='numpy', inline='always')
def fade(period: float, footprint: float) -> float:
    """1 where a pattern of ``period`` is resolved by pixels of ``footprint``, 0 where it is not (same unit)."""
    return min(1.0, max(0.0, 1.5 - 3.0 * footprint / period))


@nb.njit(cache=True, error_model='numpy', inline='always')
def _grain(x: float, y: float, seed: int, strength: float) -> float:
    """Noise about zero times ``strength``; where the pattern has faded away it is not computed."""
    return (noise(x, y, seed) - 0.5) * strength if strength > 0.0 else 0.0


@nb.njit(cache=True, error_model='numpy', inline='always')
def _wrap(x: float, period: float) -> float:
    return x - math.floor(x / period) * period


@nb.njit('UniTuple(float64, 4)(int64, float64, float64, float64, float64)', cache=True, error_model='numpy')
def facade(material: int, u: float, v: float, footprint: float, seed: float) -> Tuple[float, float, float, float]:
    """Windows of a wall at ``u`` along it and ``v`` above the ground: returns (factor on the wall's colour, share of
    window, window brightness, share of sky reflection)."""
    code = int(seed * 65536)
    if material == CURTAIN_WALL:
        wide, tall = 1.4 + 0.8 * seed, 3.4
        du, dv = _wrap(u, wide), _wrap(v, tall)
        frame = 1.0 if (du < 0.09 or dv < 0.14) else 0.0
        frame = frame * fade(0.5, footprint)
        pane = hashed(int(math.floor(u / wide)), int(math.floor(v / tall)), code)
        return 0.55 + 0.9 * frame, 0.0, 0.0, (1.0 - frame) * (0.35 + 0.35 * pane)
    wide, tall = 2.2 + 1.8 * _wrap(seed * 7.3, 1.0), 3.1
    du, dv = _wrap(u, wide) / wide, _wrap(v, tall) / tall
    factor = 0.9 + 0.2 * noise(u * 0.35, v * 0.35, code)
    if material == BRICK:
        course = int(math.floor(v / 0.085))
        shift = 0.13 * (course & 1)
        mortar = 1.0 if (_wrap(v, 0.085) < 0.013 or _wrap(u + shift, 0.26) < 0.013) else 0.0
        tone = hashed(int(math.floor((u + shift) / 0.26)), course, code) - 0.5
        factor *= 1.0 + (0.5 * mortar + 0.35 * tone) * fade(0.12, footprint)
    else:
        factor *= 1.0 + _grain(u * 9.0, v * 9.0, code, 0.08 * fade(0.15, footprint))
        factor *= 1.0 - 0.25 * noise(u * 1.7, v * 0.15, code + 5) * noise(u * 0.3, v * 0.3, code + 3)
    if v < 3.6:
        shop = hashed(int(math.floor(u / 5.0)), 1, code)
        inside = 0.5 < _wrap(u, 5.0) < 4.5 and 0.35 < v < 2.9 and shop > 0.3
        bright = 0.12 + 0.5 * shop * noise(u * 2.1, v * 2.1, code)
        return factor, 1.0 if inside else 0.0, bright, 0.25
    inside = 0.24 < du < 0.76 and 0.25 < dv < 0.78
    border = (0.2 < du < 0.8 and 0.2 < dv < 0.83) and not inside
    column, row = int(math.floor(u / wide)), int(math.floor(v / tall))
    pane = hashed(column, row, code)
    bar = abs(du - 0.5) < 0.012 or abs(dv - 0.55) < 0.012
    if inside and bar:
        return 1.25, 0.0, 0.0, 0.0
    curtain = 0.3 * (1.0 if pane > 0.7 and dv > 0.5 else 0.0)
    return factor * (1.25 if border else 1.0), 1.0 if inside else 0.0, 0.06 + 0.08 * pane + curtain, 0.15 + 0.35 * pane


@nb.njit(
    'UniTuple(float64, 3)(int64, float64, float64, float64, float64, float64, float64, float64)',
    cache=True,
    error_model='numpy',
)
def textured(material: int, r: float, g: float, b: float, u: float, v: float, footprint: float, seed: float) -> RGB:
    """Albedo RGB 0..1 of a material of base colour ``r, g, b`` at the metric surface coordinates ``u, v``."""
    code = int(seed * 65536)
    fine = fade(0.12, footprint)
    factor = 1.0
    if material == ROAD:
        factor = 0.85 + 0.3 * noise(u * 0.23, v * 0.23, 3)
        factor += _grain(u * 45.0, v * 45.0, 5, 0.3 * fade(0.03, footprint))
        factor += _grain(u * 9.0, v * 9.0, 4, 0.16 * fade(0.15, footprint))
    elif material == PAVER:
        column, row = int(math.floor(u / 0.6)), int(math.floor(v / 0.4))
        joint = 1.0 if (_wrap(u + 0.3 * (row & 1), 0.6) < 0.02 or _wrap(v, 0.4) < 0.02) else 0.0
        factor = 0.9 + 0.2 * noise(u * 0.5, v * 0.5, 11) + 0.14 * (hashed(column, row, 17) - 0.5) * fade(0.5, footprint)
        factor += _grain(u * 30.0, v * 30.0, 12, 0.12 * fade(0.1, footprint)) - 0.35 * joint * fade(0.1, footprint)
    elif material == GRASS:
        patch = noise(u * 0.35, v * 0.35, 21)
        factor = 0.7 + 0.6 * noise(u * 1.9, v * 1.9, 23) + _grain(u * 26.0, v * 26.0, 22, 0.8 * fine)
        bare = max(0.0, patch - 0.62) * 2.2
        return r * factor + 0.25 * bare, g * factor + 0.1 * bare, b * factor + 0.08 * bare
    elif material == CONCRETE:
        factor = 0.85 + 0.3 * noise(u * 0.8, v * 0.8, 31) + _grain(u * 20.0, v * 20.0, 32, 0.12 * fine)
        if _wrap(u, 2.0) < 0.03:
            factor *= 1.0 - 0.4 * fine
    elif material == KERB:
        factor = 1.5 if _wrap(u, 2.0) < 1.0 else 0.18
        factor *= 0.85 + 0.3 * noise(u * 6.0, v * 6.0, 33)
    elif material == LEAF:
        factor = 0.45 + 0.75 * noise(u * 7.0, v * 7.0, 41) + _grain(u * 23.0, v * 23.0, 42, 0.9 * fine) + 0.045 * fine
        warm = 0.05 * noise(u * 0.5, v * 0.5, 43)
        return max(0.0, (r + warm) * factor), max(0.0, g * factor), max(0.0, b * factor)
    elif material == BARK:
        factor = 0.6 + 0.8 * noise(u * 22.0, v * 4.0, 51)
    elif material == STRIPES:
        if _wrap(u + v, 0.3) < 0.15:
            return 0.88, 0.87, 0.84
    elif material == CLOTH:
        factor = 0.75 + 0.5 * noise(u * 9.0, v * 5.0, code)
    elif material == RIBBED:
        factor = 0.72 + 0.38 * abs(math.sin(u * 14.0)) * fade(0.25, footprint) + 0.19 * (1 - fade(0.25, footprint))
        factor *= 0.8 + 0.4 * noise(u * 0.7, v * 0.7, code)
    elif material == SIGN:
        wave = noise(u * 6.0, v * 11.0, code)
        if wave > 0.62:
            return 0.9, 0.9, 0.88
    elif material == DIRT:
        factor = 0.6 + 0.5 * noise(u * 1.5, v * 1.5, 61) + 0.5 * noise(u * 11.0, v * 11.0, 62) * fine
    elif material == GRAVEL:
        factor = 0.6 + 0.8 * noise(u * 18.0, v * 18.0, 71) * fine + 0.4 * (1 - fine)
        if _wrap(u, 0.65) < 0.24:
            return 0.32 * factor, 0.28 * factor, 0.25 * factor
    elif material == WATER:
        factor = 0.8 + 0.4 * noise(u * 3.0, v * 3.0, 81)
    else:
        factor = 0.93 + 0.14 * noise(u * 2.3, v * 2.3, code)
    return r * factor, g * factor, b * factor
