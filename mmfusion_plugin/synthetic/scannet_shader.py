"""From first hits in a room to colours: exact silhouettes in the colour camera, lamps, shadows and texture."""

from __future__ import annotations

import math
from typing import NamedTuple, Tuple

import numba as nb
import numpy as np

from mmfusion_plugin.synthetic.scannet_textures import GLOW, PANE, SCREEN, indoors
from mmfusion_plugin.synthetic.shader import _meets
from mmfusion_plugin.synthetic.textures import RGB, hashed


class Surfaces(NamedTuple):
    """Per triangle ``corner``, ``edge1``, ``edge2``, ``normal (T, 3)`` float32 in metres, and ``look (T, 13)`` float64:
    normal, colour, then x, y, z, cos and sin of its object, material and seed. One table, as compiled code pays for
    each array that it hands on."""

    corner: np.ndarray
    edge1: np.ndarray
    edge2: np.ndarray
    normal: np.ndarray
    look: np.ndarray


@nb.njit(cache=True, error_model='numpy', inline='always')
def _ray(pose: np.ndarray, lens: np.ndarray, u: float, v: float) -> RGB:
    x, y = (u - lens[2]) / lens[0], (v - lens[3]) / lens[1]
    return (
        pose[0, 0] * x + pose[0, 1] * y + pose[0, 2],
        pose[1, 0] * x + pose[1, 1] * y + pose[1, 2],
        pose[2, 0] * x + pose[2, 1] * y + pose[2, 2],
    )


@nb.njit(cache=True, error_model='numpy')
def resolve(
    hit: np.ndarray, hit_lens: np.ndarray, surfaces: Surfaces, pose: np.ndarray, lens: np.ndarray, size: Tuple[int, int]
) -> Tuple[np.ndarray, np.ndarray]:
    """What each pixel of a second camera at the same place meets, from the hits of a first.

    A pixel tries the triangles of the four hits about it with its own ray and takes the nearest; where all four miss
    it, it keeps the nearest hit's triangle, at the depth of that triangle's plane.

    Args:
        hit: ``(h, w)`` int32 triangle of each pixel of the first camera, -1 for none.
        hit_lens: Its ``(fx, fy, cx, cy)``, pixels.
        surfaces: The triangles.
        pose: ``(4, 4)`` camera to room, of both.
        lens: ``(fx, fy, cx, cy)`` of the second camera.
        size: Its width and height.

    Returns:
        Triangles ``(H, W)`` int32, -1 for none, and depth ``(H, W)`` float32 along the axis (m).
    """
    width, height = size
    rows, depth = np.empty((height, width), np.int32), np.zeros((height, width), np.float32)
    last_row, last_column = hit.shape[0] - 1, hit.shape[1] - 1
    for v in range(height):
        y = (v - lens[3]) / lens[1] * hit_lens[1] + hit_lens[3]
        top = min(max(int(math.floor(y)), 0), last_row)
        low = min(top + 1, last_row)
        for u in range(width):
            x = (u - lens[2]) / lens[0] * hit_lens[0] + hit_lens[2]
            left = min(max(int(math.floor(x)), 0), last_column)
            right = min(left + 1, last_column)
            a, b, c, d = hit[top, left], hit[top, right], hit[low, left], hit[low, right]
            ray = _ray(pose, lens, u, v)
            best, best_depth = -1, 1e30
            if not (a == b and a == c and a == d):
                for k in (a, b, c, d):
                    if k >= 0 and k != best:
                        t = _meets(surfaces.corner[k], surfaces.edge1[k], surfaces.edge2[k], pose, ray)
                        if 0.0 < t < best_depth:
                            best, best_depth = k, t
            if best < 0:
                best = hit[low if y - top > 0.5 else top, right if x - left > 0.5 else left]
                best_depth = _plane_depth(surfaces, best, pose, ray) if best >= 0 else 0.0
            rows[v, u], depth[v, u] = best, best_depth
    return rows, depth


@nb.njit(cache=True, error_model='numpy', inline='always')
def _plane_depth(surfaces: Surfaces, k: int, pose: np.ndarray, ray: RGB) -> float:
    slope = way = 0.0
    for i in range(3):
        slope += surfaces.normal[k, i] * ray[i]
        way += surfaces.normal[k, i] * (surfaces.corner[k, i] - pose[i, 3])
    return max(0.0, way / slope) if abs(slope) > 1e-6 else 0.0


@nb.njit(cache=True, error_model='numpy', inline='always')
def _albedo(look: np.ndarray, k: int, x: float, y: float, z: float, footprint: float) -> RGB:
    """Textured colour of a place on triangle ``k``, by the coordinates of its object."""
    ox, oy, cos, sin = x - look[k, 6], y - look[k, 7], look[k, 9], look[k, 10]
    lx, ly = ox * cos + oy * sin, oy * cos - ox * sin
    mx, my = look[k, 0] * cos + look[k, 1] * sin, look[k, 1] * cos - look[k, 0] * sin
    if abs(look[k, 2]) > 0.7:
        s, t = lx, ly
    elif abs(my) > abs(mx):
        s, t = lx, z - look[k, 8]
    else:
        s, t = ly, z - look[k, 8]
    return indoors(int(look[k, 11]), look[k, 3], look[k, 4], look[k, 5], s, t, footprint, look[k, 12])


@nb.njit(cache=True, error_model='numpy', inline='always')
def _light(x: float, y: float, z: float, normal: RGB, lamps: np.ndarray, seen: np.ndarray) -> RGB:
    """Light on a surface: from all sides, more from above, and from each lamp that is ``seen`` (0..1 each)."""
    ambient = 0.46 + 0.12 * normal[2]
    r, g, b = ambient, ambient, ambient
    for i in range(lamps.shape[0]):
        if seen[i] == 0.0:
            continue
        dx, dy, dz = lamps[i, 0] - x, lamps[i, 1] - y, lamps[i, 2] - z
        square = dx * dx + dy * dy + dz * dz
        facing = (dx * normal[0] + dy * normal[1] + dz * normal[2]) / math.sqrt(square + 1e-9)
        if facing > 0.0:
            strength = lamps[i, 3] * facing * seen[i] / (1.5 + square)
            r, g, b = r + strength * lamps[i, 4], g + strength * lamps[i, 5], b + strength * lamps[i, 6]
    return r, g, b


@nb.njit(cache=True, error_model='numpy', inline='always')
def _radiance(
    look: np.ndarray, k: int, x: float, y: float, z: float, toward: RGB, footprint: float, lamps: np.ndarray,
    seen: np.ndarray,
) -> RGB:
    """What a place on triangle ``k`` sends into the direction ``toward``, whose side of the triangle is lit."""
    nx, ny, nz = look[k, 0], look[k, 1], look[k, 2]
    sign = 1.0 if nx * toward[0] + ny * toward[1] + nz * toward[2] >= 0.0 else -1.0
    r, g, b = _albedo(look, k, x, y, z, footprint)
    what = int(look[k, 11])
    if what == PANE or what == GLOW:
        return r, g, b
    lr, lg, lb = _light(x, y, z, (sign * nx, sign * ny, sign * nz), lamps, seen)
    glow = 0.04 if what == SCREEN else 0.0
    return r * lr + glow, g * lg + glow, b * lb + glow


@nb.njit(cache=True, error_model='numpy')
def _tone_curve() -> np.ndarray:
    """8-bit values of light 0..4: a soft shoulder and a gamma of 1 / 0.5, spaced by the light's square root."""
    curve = np.empty(2049)
    for i in range(2049):
        value = (i / 2048.0) ** 2 * 4.0
        value = value * (1.0 + 0.1 * value) / (1.0 + 0.45 * value)
        curve[i] = 255.0 * min(1.0, value) ** 0.5
    return curve


@nb.njit(cache=True, error_model='numpy', inline='always')
def _tone(value: float, curve: np.ndarray, grain: float) -> int:
    level = curve[int(math.sqrt(min(max(value, 0.0), 4.0) * 0.25) * 2048.0)] + grain
    return int(min(255.0, max(0.0, level + 0.5)))


@nb.njit(cache=True, error_model='numpy', inline='always')
def _seen_at(lit: np.ndarray, lit_depth: np.ndarray, x: float, y: float, depth: float, seen: np.ndarray) -> None:
    """Fills ``seen`` with the lamps' shares at a place, bilinear in samples that lie at about its depth."""
    ix, iy = int(math.floor(x)), int(math.floor(y))
    left, right = min(max(ix, 0), lit.shape[2] - 1), min(max(ix + 1, 0), lit.shape[2] - 1)
    top, low = min(max(iy, 0), lit.shape[1] - 1), min(max(iy + 1, 0), lit.shape[1] - 1)
    same = True
    for k in range(lit.shape[0]):
        seen[k] = lit[k, top, left]
        same &= seen[k] == lit[k, top, right] and seen[k] == lit[k, low, left] and seen[k] == lit[k, low, right]
    if same:
        return
    total = 0.0
    seen[:] = 0.0
    for j in range(2):
        for i in range(2):
            column, row = right if i else left, low if j else top
            share = (1.0 - abs(x - ix - i)) * (1.0 - abs(y - iy - j)) + 0.01
            if abs(lit_depth[row, column] - depth) > 0.03 * depth + 0.03:
                share *= 1e-3
            total += share
            for k in range(lit.shape[0]):
                seen[k] += share * lit[k, row, column]
    for k in range(lit.shape[0]):
        seen[k] /= total


@nb.njit(cache=True, error_model='numpy')
def shade_image(
    rows: np.ndarray, depth: np.ndarray, surfaces: Surfaces, pose: np.ndarray, lens: np.ndarray, lamps: np.ndarray,
    lit: np.ndarray, lit_depth: np.ndarray, lit_lens: np.ndarray, exposure: float, grain: int,
) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB of ``resolve``'s answer.

    Args:
        rows: ``(H, W)`` triangles.
        depth: ``(H, W)`` along the axis, metres.
        surfaces: The triangles.
        pose: ``(4, 4)`` camera to room.
        lens: ``(fx, fy, cx, cy)``.
        lamps: ``(L, 7)`` of the room.
        lit: ``(L, h, w)`` float32 share of each lamp at samples of the picture.
        lit_depth: ``(h, w)`` depth of the samples.
        lit_lens: ``(fx, fy, cx, cy)`` of the samples.
        exposure: Factor on the light.
        grain: Seed of the sensor noise.
    """
    height, width = rows.shape
    image, curve, seen = np.empty((height, width, 3), np.uint8), _tone_curve(), np.empty(lamps.shape[0])
    look = surfaces.look
    for v in range(height):
        y_lit = (v - lens[3]) / lens[1] * lit_lens[1] + lit_lens[3]
        for u in range(width):
            r = g = b = 0.0
            k = rows[v, u]
            if k >= 0:
                dx, dy, dz = _ray(pose, lens, u, v)
                d, length = np.float64(depth[v, u]), math.sqrt(dx * dx + dy * dy + dz * dz)
                x, y, z = pose[0, 3] + dx * d, pose[1, 3] + dy * d, pose[2, 3] + dz * d
                slope = abs(look[k, 0] * dx + look[k, 1] * dy + look[k, 2] * dz) / length
                footprint = d * length / lens[0] / max(0.15, slope)
                _seen_at(lit, lit_depth, (u - lens[2]) / lens[0] * lit_lens[0] + lit_lens[2], y_lit, d, seen)
                r, g, b = _radiance(look, k, x, y, z, (-dx, -dy, -dz), footprint, lamps, seen)
            jitter = 5.0 * (hashed(u, v, grain) - 0.5)
            image[v, u, 0] = _tone(r * exposure, curve, jitter)
            image[v, u, 1] = _tone(g * exposure, curve, jitter)
            image[v, u, 2] = _tone(b * exposure, curve, jitter)
    return image


@nb.njit(cache=True, error_model='numpy')
def shade_points(
    points: np.ndarray, rows: np.ndarray, toward: np.ndarray, surfaces: Surfaces, lamps: np.ndarray, lit: np.ndarray,
    footprint: float,
) -> np.ndarray:
    """``(N, 3)`` uint8 RGB of places on triangles, as ``shade_image`` shows them.

    Args:
        points: ``(N, 3)`` float64, metres.
        rows: ``(N,)`` int32 triangles.
        toward: ``(N, 3)`` direction of someone who sees them.
        surfaces: The triangles.
        lamps: ``(L, 7)`` of the room.
        lit: ``(N, L)`` share of each lamp.
        footprint: Width (m) that a colour stands for.
    """
    out, curve, look = np.empty((len(points), 3), np.uint8), _tone_curve(), surfaces.look
    for i in range(len(points)):
        x, y, z = points[i]
        r, g, b = _radiance(
            look, rows[i], x, y, z, (toward[i, 0], toward[i, 1], toward[i, 2]), footprint, lamps, lit[i]
        )
        out[i, 0], out[i, 1], out[i, 2] = _tone(r, curve, 0.0), _tone(g, curve, 0.0), _tone(b, curve, 0.0)
    return out
