"""From first hits to pixels: exact silhouettes at full resolution, then light, texture, reflection, haze and sky."""

from __future__ import annotations

import math
from typing import Tuple

import numba as nb
import numpy as np

from mmfusion_plugin.synthetic import materials as m
from mmfusion_plugin.synthetic.textures import RGB, facade, hashed, noise, textured

ROAD, BRICK, PLASTER, CURTAIN_WALL, LEAF, PAINT, WINDOW = (
    m.ROAD,
    m.BRICK,
    m.PLASTER,
    m.CURTAIN_WALL,
    m.LEAF,
    m.PAINT,
    m.WINDOW,
)
LAMP, SIGN, WATER, PLATE = m.LAMP, m.SIGN, m.WATER, m.PLATE


@nb.njit(cache=True, error_model='numpy')
def _meets(corner: np.ndarray, edge1: np.ndarray, edge2: np.ndarray, pose: np.ndarray, d: RGB) -> float:
    """Distance along the ray ``d`` from the camera to a triangle, -1 where it misses (Moeller and Trumbore, 1997)."""
    px, py, pz = d[1] * edge2[2] - d[2] * edge2[1], d[2] * edge2[0] - d[0] * edge2[2], d[0] * edge2[1] - d[1] * edge2[0]
    det = edge1[0] * px + edge1[1] * py + edge1[2] * pz
    if abs(det) < 1e-12:
        return -1.0
    tx, ty, tz = pose[0, 3] - corner[0], pose[1, 3] - corner[1], pose[2, 3] - corner[2]
    a = (tx * px + ty * py + tz * pz) / det
    if a < 0.0 or a > 1.0:
        return -1.0
    qx, qy, qz = ty * edge1[2] - tz * edge1[1], tz * edge1[0] - tx * edge1[2], tx * edge1[1] - ty * edge1[0]
    b = (d[0] * qx + d[1] * qy + d[2] * qz) / det
    if b < 0.0 or a + b > 1.0:
        return -1.0
    return (edge2[0] * qx + edge2[1] * qy + edge2[2] * qz) / det


@nb.njit(cache=True, error_model='numpy', inline='always')
def _ray(pose: np.ndarray, lens: np.ndarray, u: int, v: int) -> RGB:
    x, y = (u - lens[1]) / lens[0], (v - lens[2]) / lens[0]
    return (
        pose[0, 0] * x + pose[0, 1] * y + pose[0, 2],
        pose[1, 0] * x + pose[1, 1] * y + pose[1, 2],
        pose[2, 0] * x + pose[2, 1] * y + pose[2, 2],
    )


@nb.njit(cache=True, error_model='numpy')
def resolve(
    row: np.ndarray,
    depth: np.ndarray,
    corner: np.ndarray,
    edge1: np.ndarray,
    edge2: np.ndarray,
    normal: np.ndarray,
    pose: np.ndarray,
    lens: np.ndarray,
    height: int,
    width: int,
) -> Tuple[np.ndarray, np.ndarray]:
    """Hits of 2 x 2 blocks to hits of every pixel: ``(rows (H, W) int32, depth (H, W) float32)``.

    A pixel whose four nearest rays met the same triangle takes it; at an edge the triangles that they met are tried
    with the pixel's own ray and the nearest wins; where all miss, the pixel keeps its block's hit.
    """
    rows = np.empty((height, width), np.int32)
    out = np.empty((height, width), np.float32)
    last_row, last_column = row.shape[0] - 1, row.shape[1] - 1
    for v in range(height):
        top = min(max((v - 1) // 2, 0), last_row)
        low = min(top + 1, last_row)
        for u in range(width):
            left = min(max((u - 1) // 2, 0), last_column)
            right = min(left + 1, last_column)
            a, b, c, d = row[top, left], row[top, right], row[low, left], row[low, right]
            if a < 0 and b < 0 and c < 0 and d < 0:
                rows[v, u], out[v, u] = -1, np.inf
                continue
            d3 = _ray(pose, lens, u, v)
            own, own_depth = row[v // 2, u // 2], depth[v // 2, u // 2]
            best, best_depth = own, np.float64(own_depth)
            if not (a == b and a == c and a == d):
                best_depth, found = 1e30, False
                for k in (a, b, c, d):
                    if k >= 0:
                        t = _meets(corner[k], edge1[k], edge2[k], pose, d3)
                        if 0.0 < t < best_depth:
                            best, best_depth, found = k, t, True
                if not found:
                    best = own
                    if min(a, b, c, d) < 0:
                        best = -1
                    best_depth = np.float64(own_depth)
            if best >= 0 and (best == own):
                n, p = normal[best], corner[best]
                slope = n[0] * d3[0] + n[1] * d3[1] + n[2] * d3[2]
                if abs(slope) > 1e-4:
                    t = (n[0] * (p[0] - pose[0, 3]) + n[1] * (p[1] - pose[1, 3]) + n[2] * (p[2] - pose[2, 3])) / slope
                    if 0.8 * own_depth < t < 1.25 * own_depth:
                        best_depth = t
            rows[v, u] = best
            out[v, u] = best_depth if best >= 0 else np.inf
    return rows, out


@nb.njit(cache=True, error_model='numpy')
def _sky(dx: float, dy: float, dz: float, sky: np.ndarray, detail: bool) -> RGB:
    """Colour of the sky, its clouds, the sun's glow and a distant skyline in the unit direction."""
    up = max(dz, 0.0)
    blend = math.exp(-5.0 * up)
    r, g, b = 0.30 + 0.48 * blend, 0.48 + 0.34 * blend, 0.80 + 0.06 * blend
    x, y = dx / (up + 0.12), dy / (up + 0.12)
    cover = 0.6 * noise(x * 1.1, y * 1.1, 91) + 0.4 * noise(x * 2.7, y * 2.7, 92)
    if detail:
        cover = 0.8 * cover + 0.2 * noise(x * 7.5, y * 7.5, 93)
    cloud = min(1.0, max(0.0, (cover - 0.75 + 0.55 * sky[6]) * 3.5))
    white = 0.82 + 0.25 * cover
    r, g, b = r + (white - r) * cloud, g + (white - g) * cloud, b + (white * 1.02 - b) * cloud
    glow = max(0.0, dx * sky[0] + dy * sky[1] + dz * sky[2])
    if glow > 0.5:
        glow = 0.22 * glow**12 + (0.8 * glow**300 if glow > 0.97 else 0.0)
    else:
        glow = 0.0
    r, g, b = r + glow, g + glow * 0.95, b + glow * 0.8
    if detail and dz < 0.14:
        angle = math.atan2(dy, dx)
        trees = 0.015 + 0.035 * noise(angle * 14.0, 1.0, 95) + 0.012 * noise(angle * 90.0, 1.0, 96)
        cell = int(math.floor(angle * 24.0))
        tower = 0.12 * hashed(cell, 3, 97) if hashed(cell, 5, 98) > 0.72 else 0.0
        if dz < trees:
            r, g, b = 0.3 * r + 0.12, 0.3 * g + 0.16, 0.3 * b + 0.13
        elif dz < tower:
            r, g, b = 0.5 * r + 0.2, 0.5 * g + 0.21, 0.5 * b + 0.23
    return r * sky[4], g * sky[4], b * sky[4]


@nb.njit(cache=True, error_model='numpy')
def _sunlight(lit: np.ndarray, lit_depth: np.ndarray, u: int, v: int, depth: float) -> float:
    """Sunlight at a pixel from the four nearest shadow samples that lie at about its depth."""
    x, y = (u - 0.5) / 4.0, (v - 0.5) / 4.0
    ix, iy = int(math.floor(x)), int(math.floor(y))
    left, right = max(ix, 0), min(ix + 1, lit.shape[1] - 1)
    top, low = max(iy, 0), min(iy + 1, lit.shape[0] - 1)
    if lit[top, left] == lit[top, right] == lit[low, left] == lit[low, right]:
        return lit[top, left]
    total, weight = 0.0, 0.0
    for j in range(2):
        for i in range(2):
            column, line = min(max(ix + i, 0), lit.shape[1] - 1), min(max(iy + j, 0), lit.shape[0] - 1)
            share = (1.0 - abs(x - ix - i)) * (1.0 - abs(y - iy - j)) + 0.01
            if abs(lit_depth[line, column] - depth) > 0.04 * depth + 0.1:
                share *= 1e-3
            total += share * lit[line, column]
            weight += share
    return total / weight


@nb.njit(cache=True, error_model='numpy')
def _paint(paint: np.ndarray, ground: np.ndarray, x: float, y: float, rgb: RGB) -> RGB:
    """Road paint and stains over the tar's colour, bilinear."""
    px, py = (x - ground[0]) * ground[2] - 0.5, (y - ground[1]) * ground[2] - 0.5
    ix, iy = int(math.floor(px)), int(math.floor(py))
    if ix < 0 or iy < 0 or ix + 1 >= paint.shape[1] or iy + 1 >= paint.shape[0]:
        return rgb
    fx, fy = px - ix, py - iy
    white = yellow = dark = 0.0
    for j in range(2):
        for i in range(2):
            share = (fx if i else 1 - fx) * (fy if j else 1 - fy) / 255.0
            white += share * paint[iy + j, ix + i, 0]
            yellow += share * paint[iy + j, ix + i, 1]
            dark += share * paint[iy + j, ix + i, 2]
    r, g, b = rgb[0] * (1 - 0.7 * dark), rgb[1] * (1 - 0.7 * dark), rgb[2] * (1 - 0.7 * dark)
    r, g, b = r + (0.62 - r) * white, g + (0.62 - g) * white, b + (0.6 - b) * white
    return r + (0.6 - r) * yellow, g + (0.43 - g) * yellow, b + (0.08 - b) * yellow


@nb.njit(cache=True, error_model='numpy')
def _surface(
    what: int, rgb: np.ndarray, s: float, t: float, footprint: float, seed: float, facing: float, steep: bool
) -> Tuple[float, float, float, float, float]:
    """Albedo, share of mirrored sky and glow of a surface of material ``what`` at its own coordinates ``s, t``."""
    r, g, b = np.float64(rgb[0]), np.float64(rgb[1]), np.float64(rgb[2])
    if (what == BRICK or what == PLASTER or what == CURTAIN_WALL) and steep:
        factor, window, bright, mirror = facade(what, s, t, footprint, seed)
        r, g, b = r * factor, g * factor, b * factor
        if what != CURTAIN_WALL:
            mirror *= window
        r, g, b = r + (bright - r) * window, g + (bright - g) * window, b + (bright * 1.1 - b) * window
        return r, g, b, mirror, 0.0
    r, g, b = textured(what, r, g, b, s, t, footprint, seed)
    if what == WINDOW or what == WATER:
        return r, g, b, 0.18 + 0.6 * (1 + facing) ** 3, 0.0
    if what == PAINT:
        return r, g, b, 0.03 + 0.35 * (1 + facing) ** 4, 0.0
    if what == LAMP:
        return r, g, b, 0.0, 0.7
    return r, g, b, 0.0, 0.08 if (what == SIGN or what == PLATE) else 0.0


@nb.njit(cache=True, error_model='numpy')
def _reflected(out: RGB, sky: np.ndarray, glossy: bool) -> RGB:
    """What a mirror shows in the direction ``out``: sky above, dull ground below, on paint the sun's highlight too."""
    if out[2] > 0:
        r, g, b = _sky(out[0], out[1], out[2], sky, False)
    else:
        r = g = b = 0.22 * sky[4]
    if glossy:
        shine = 6 * max(0.0, out[0] * sky[0] + out[1] * sky[1] + out[2] * sky[2]) ** 60
        r, g, b = r + shine, g + shine, b + shine
    return r, g, b


@nb.njit(cache=True, error_model='numpy')
def _tone_curve(exposure: float) -> np.ndarray:
    """8-bit values of light 0..8 through a soft shoulder and a gamma of 1.9, spaced by the light's square root."""
    curve = np.empty(4097)
    for i in range(4097):
        value = (i / 4096.0) ** 2 * 8.0 * exposure
        value = value * (1.0 + value * 0.12) / (1.0 + value * 0.62)
        curve[i] = 255.0 * min(value, 1.0) ** 0.52
    return curve


@nb.njit(cache=True, error_model='numpy', inline='always')
def _tone(value: float, curve: np.ndarray, grain: float) -> int:
    level = curve[int(math.sqrt(min(max(value, 0.0), 8.0) * 0.125) * 4096.0)] + grain
    return int(min(255.0, max(0.0, level)))


@nb.njit(cache=True, error_model='numpy')
def shade(
    rows: np.ndarray,
    depth: np.ndarray,
    lit: np.ndarray,
    lit_depth: np.ndarray,
    normal: np.ndarray,
    material: np.ndarray,
    colour: np.ndarray,
    seed: np.ndarray,
    owner: np.ndarray,
    poses: np.ndarray,
    pose: np.ndarray,
    lens: np.ndarray,
    sky: np.ndarray,
    paint: np.ndarray,
    ground: np.ndarray,
    grain: int,
) -> np.ndarray:
    """(H, W, 3) uint8 BGR from ``resolve``'s hits.

    ``lit`` and ``lit_depth`` are shadow samples on a 4-pixel grid; ``sky`` holds sun direction, sun strength, sky
    strength, haze, clouds, warmth and exposure; ``ground`` the paint's origin and scale; ``lens`` the focal length and
    the principal point.
    """
    height, width = rows.shape
    image = np.empty((height, width, 3), np.uint8)
    curve = _tone_curve(sky[8])
    for v in range(height):
        for u in range(width):
            dx, dy, dz = _ray(pose, lens, u, v)
            length = math.sqrt(dx * dx + dy * dy + dz * dz)
            k = rows[v, u]
            if k < 0:
                r, g, b = _sky(dx / length, dy / length, dz / length, sky, True)
            else:
                d = depth[v, u]
                x, y, z = pose[0, 3] + dx * d, pose[1, 3] + dy * d, pose[2, 3] + dz * d
                dx, dy, dz, distance = dx / length, dy / length, dz / length, d * length
                nx, ny, nz = normal[k]
                facing = nx * dx + ny * dy + nz * dz
                if facing > 0:
                    nx, ny, nz, facing = -nx, -ny, -nz, -facing
                place = poses[owner[k]]
                ox, oy = x - place[0], y - place[1]
                lx, ly = ox * place[2] + oy * place[3], oy * place[2] - ox * place[3]
                mx, my = nx * place[2] + ny * place[3], ny * place[2] - nx * place[3]
                if abs(nz) > 0.7:
                    s, t = lx, ly
                elif abs(my) > abs(mx):
                    s, t = lx, z
                else:
                    s, t = ly, z
                what = material[k]
                footprint = distance / lens[0] / max(0.12, min(1.0, -facing * 1.6))
                r, g, b, mirror, glow = _surface(what, colour[k], s, t, footprint, seed[k], facing, abs(nz) < 0.7)
                if what == ROAD:
                    r, g, b = _paint(paint, ground, x, y, (r, g, b))
                sun = max(0.0, nx * sky[0] + ny * sky[1] + nz * sky[2])
                if what == LEAF:
                    sun = 0.35 + 0.5 * abs(nx * sky[0] + ny * sky[1] + nz * sky[2])
                if sun > 0:
                    sun *= sky[3] * _sunlight(lit, lit_depth, u, v, d)
                ambient = sky[4] * (0.36 + 0.24 * nz)
                warm = 0.12 * sky[7]
                lr, lg, lb = sun * (1 + warm) + ambient * 0.92, sun + ambient, sun * (1 - 1.3 * warm) + ambient * 1.12
                r, g, b = r * (lr + glow * 2), g * (lg + glow * 2), b * (lb + glow * 2)
                if mirror > 0:
                    out = (dx - 2 * facing * nx, dy - 2 * facing * ny, dz - 2 * facing * nz)
                    sr, sg, sb = _reflected(out, sky, what == PAINT)
                    r, g, b = r + (sr - r) * mirror, g + (sg - g) * mirror, b + (sb - b) * mirror
                haze = 1.0 - math.exp(-sky[5] * distance)
                fr, fg, fb = 0.68 * sky[4], 0.74 * sky[4], 0.8 * sky[4]
                r, g, b = r + (fr - r) * haze, g + (fg - g) * haze, b + (fb - b) * haze
            jitter = 3.5 * (hashed(u, v, grain) - 0.5)
            image[v, u, 0] = _tone(b, curve, jitter)
            image[v, u, 1] = _tone(g, curve, jitter)
            image[v, u, 2] = _tone(r, curve, jitter)
    return image
