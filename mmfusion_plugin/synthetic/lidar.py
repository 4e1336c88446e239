"""A 32-beam LiDAR of the nuScenes kind: one turn of rays, what they hit, and what comes back."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from mmfusion_plugin.synthetic import nuscenes_rig as rig
from mmfusion_plugin.synthetic.materials import FINE, INTENSITY_MEDIAN, INTENSITY_SPREAD, ROAD, SPECULAR_LOSS
from mmfusion_plugin.synthetic.raycast import RayCaster

RANGE_NOISE = 0.02
MAX_RANGE = 105.0
# The measuring car's own roof, in the LiDAR's frame, as the keyframe's nearest returns show it.
ROOF_HEIGHT, ROOF_X, ROOF_Y = -0.37, 0.55, (-0.87, 0.64)


def beam_directions() -> np.ndarray:
    """(1084 * 32, 3) unit vectors in the LiDAR's frame in the order of a nuScenes file: firing by firing, rings inside,
    clockwise from the -x axis."""
    elevation = np.radians(np.linspace(*rig.LIDAR_ELEVATION, rig.LIDAR_RINGS))
    azimuth = np.pi - np.arange(rig.LIDAR_FIRINGS) * (2 * np.pi / rig.LIDAR_FIRINGS)
    azimuth, elevation = np.meshgrid(azimuth, elevation, indexing='ij')
    return np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    ).reshape(-1, 3)


def scan(
    caster: RayCaster, lidar_to_scene: np.ndarray, speed: float, rng: np.random.Generator
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One sweep at the caster's present time.

    Args:
        caster: world at the sweep's timestamp.
        lidar_to_scene: (4, 4) pose of the LiDAR in the scene's frame.
        speed: ego speed in m/s; it places the lost returns (below).
        rng: source of all noise.

    Returns:
        ``points (34688, 5)`` float32 x, y, z (m, LiDAR frame), intensity 0..255, ring; ``labels`` uint8 fine category;
        ``instances`` int32 actor number or -1. As in the real files every firing has a row: a ray without a return lies
        next to the origin (shifted by the motion compensation) and, like hits on the own car, is labelled vehicle.ego.
    """
    beams = beam_directions()
    beams = beams + rng.normal(0, 2e-4, beams.shape)
    rotation, origin = lidar_to_scene[:3, :3], lidar_to_scene[:3, 3]
    directions = (beams @ rotation.T).astype(np.float32)
    count = len(beams)
    row, distance = caster.first_hit(np.broadcast_to(origin, (count, 3)).astype(np.float32), directions)
    hit = (row >= 0) & (distance < MAX_RANGE)
    row = np.where(hit, row, 0)
    distance = np.where(hit, distance, 0.0).astype(np.float64)
    tri = caster.triangles
    material = tri.material[row]
    incidence = np.abs(np.einsum('ij,ij->i', tri.normal[row], directions))

    intensity = INTENSITY_MEDIAN[material] * np.exp(INTENSITY_SPREAD[material] * rng.normal(size=count))
    intensity *= 0.75 + 0.75 * incidence
    intensity = _painted(caster, material, origin + directions * distance[:, None], intensity, rng)
    strength = np.clip(0.5 + intensity / 25.0, 0.5, 1.6) * (0.35 + 0.65 * np.sqrt(incidence))
    kept = rng.random(count) < np.clip(1.25 * strength - (distance / 95.0) ** 2 + 0.46, 0.0, 0.995)
    kept &= rng.random(count) > SPECULAR_LOSS[material] * (1.0 - 0.5 * incidence)
    kept &= hit & (rng.random(count) > 0.004)

    distance = distance + rng.normal(0, RANGE_NOISE, count)
    points = np.empty((count, 5), dtype=np.float32)
    points[:, :3] = beams * distance[:, None]
    points[:, 3] = np.clip(np.rint(intensity), 0, 255)
    points[:, 4] = np.tile(np.arange(rig.LIDAR_RINGS), rig.LIDAR_FIRINGS)
    labels = tri.label[row].astype(np.uint8)
    instances = np.where(kept, tri.instance[row], -1).astype(np.int32)

    stray = kept & (rng.random(count) < 0.0012)
    points[stray, :3] *= rng.uniform(0.3, 0.95, (int(stray.sum()), 1)).astype(np.float32)
    labels[stray], instances[stray] = FINE['noise'], -1
    _lose(points, ~kept, speed, rng)
    labels[~kept] = FINE['vehicle.ego']
    on_roof = _roof(points, beams, rng)
    labels[on_roof], instances[on_roof] = FINE['vehicle.ego'], -1
    return points, labels, instances


def _painted(
    caster: RayCaster, material: np.ndarray, place: np.ndarray, intensity: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Road paint holds glass beads: it returns several times what tar does."""
    world = caster.world
    column = ((place[:, 0] - world.paint_origin[0]) * world.paint_scale).astype(np.int64)
    line = ((place[:, 1] - world.paint_origin[1]) * world.paint_scale).astype(np.int64)
    rows, columns = world.paint.shape[:2]
    inside = (material == ROAD) & (column >= 0) & (column < columns) & (line >= 0) & (line < rows)
    mark = np.zeros(len(material))
    mark[inside] = world.paint[line[inside], column[inside], :2].max(axis=1) / 255.0
    return intensity * (1.0 + 3.8 * mark * rng.uniform(0.7, 1.2, len(mark)))


def _lose(points: np.ndarray, lost: np.ndarray, speed: float, rng: np.random.Generator) -> None:
    """Rays without a return: range zero, moved back by the ego motion between firing and the end of the turn."""
    left = 1.0 - np.arange(len(points)) / len(points)
    shift = speed * rig.LIDAR_PERIOD_US * 1e-6 * left[lost]
    points[lost, 0] = -1e-3 * shift
    points[lost, 1] = -shift
    points[lost, 2] = -0.032 * shift
    points[lost, 3] = rng.integers(0, 100, int(lost.sum()))


def _roof(points: np.ndarray, beams: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Overwrites the rays that end on the measuring car's own roof; returns their mask."""
    down = beams[:, 2] < -1e-3
    distance = np.where(down, ROOF_HEIGHT / np.where(down, beams[:, 2], -1.0), np.inf)
    distance = np.where(down, distance, 1e9)
    x, y = beams[:, 0] * distance, beams[:, 1] * distance
    mask = down & (np.abs(x) < ROOF_X) & (y > ROOF_Y[0]) & (y < ROOF_Y[1])
    noisy = distance[mask] + rng.normal(0, RANGE_NOISE, int(mask.sum()))
    points[mask, :3] = beams[mask] * noisy[:, None]
    points[mask, 3] = np.clip(np.rint(18 * np.exp(0.7 * rng.normal(size=int(mask.sum())))), 0, 255)
    return mask
