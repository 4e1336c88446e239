"""A pinhole camera in a generated world: picture, instance render, and how much of an object is in view."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np

from mmfusion_plugin.synthetic.nuscenes_rig import IMAGE_HEIGHT, IMAGE_WIDTH
from mmfusion_plugin.synthetic.raycast import SKY, RayCaster
from mmfusion_plugin.synthetic.shader import resolve, shade

# Rays are cast through the middle of every 2 x 2 block of pixels; silhouettes are then decided per pixel.
BLOCK = 2
SHADOW_BLOCK = 2


class Camera:
    """What one camera sees at the caster's present time.

    Args:
        caster: the world.
        pose: (4, 4) camera-to-scene transform (camera x right, y down, z forward).
        intrinsic: (3, 3) pinhole matrix for 1600 x 900 pixels, pixel centres at integers.
    """

    def __init__(self, caster: RayCaster, pose: np.ndarray, intrinsic: np.ndarray) -> None:
        self.caster, self.pose, self.intrinsic = caster, pose, intrinsic
        u = np.arange(IMAGE_WIDTH // BLOCK) * BLOCK + (BLOCK - 1) / 2
        v = np.arange(IMAGE_HEIGHT // BLOCK) * BLOCK + (BLOCK - 1) / 2
        u, v = np.meshgrid(u, v)
        ray = np.stack(
            [(u - intrinsic[0, 2]) / intrinsic[0, 0], (v - intrinsic[1, 2]) / intrinsic[1, 1], np.ones_like(u)], -1
        )
        self.directions = (ray.reshape(-1, 3) @ pose[:3, :3].T).astype(np.float32)
        origins = np.broadcast_to(pose[:3, 3].astype(np.float32), self.directions.shape)
        row, depth = caster.first_hit(np.ascontiguousarray(origins), self.directions)
        self._shape = u.shape
        self._row, self._depth = row.reshape(u.shape), depth.reshape(u.shape)
        tri = caster.triangles
        lens = np.array([intrinsic[0, 0], intrinsic[0, 2], intrinsic[1, 2]])
        self.rows, self.depth = resolve(
            self._row, self._depth, tri.corner, tri.edge1, tri.edge2, tri.normal, pose, lens, IMAGE_HEIGHT, IMAGE_WIDTH
        )

    def instance_ids(self) -> np.ndarray:
        """(900, 1600) int32: number of the actor in each pixel, -1 for surroundings and sky."""
        return np.where(self.rows >= 0, self.caster.triangles.instance[np.maximum(self.rows, 0)], -1)

    def labels(self) -> np.ndarray:
        """(900, 1600) uint8: fine category 0..31 of each pixel, 0 for sky."""
        return np.where(self.rows >= 0, self.caster.triangles.label[np.maximum(self.rows, 0)], 0).astype(np.uint8)

    def _sunlit(self) -> Tuple[np.ndarray, np.ndarray]:
        """Sunlight 0..1 at every second hit, and the depth there (metres along the axis)."""
        row, depth = self._row[::SHADOW_BLOCK, ::SHADOW_BLOCK], self._depth[::SHADOW_BLOCK, ::SHADOW_BLOCK]
        rays = self.directions.reshape(*self._shape, 3)[::SHADOW_BLOCK, ::SHADOW_BLOCK].reshape(-1, 3)
        normal = self.caster.triangles.normal[np.maximum(row.ravel(), 0)]
        facing = np.where((normal * rays).sum(1, keepdims=True) > 0, -1.0, 1.0).astype(np.float32) * normal
        sun = self.caster.world.light.sun.astype(np.float32)
        ask = (row.ravel() != SKY) & (facing @ sun > 0.0) & (depth.ravel() < 160.0)
        lit = np.ones(len(ask), dtype=np.float32)
        place = self.pose[:3, 3].astype(np.float32) + rays[ask] * depth.ravel()[ask, None] + facing[ask] * 0.02
        lit[ask] = ~self.caster.occluded(np.ascontiguousarray(place), np.tile(sun, (int(ask.sum()), 1)))
        return lit.reshape(row.shape), depth

    def picture(self, rng: np.random.Generator) -> np.ndarray:
        """(900, 1600, 3) uint8 BGR image with shading, shadows, texture, haze and sensor noise."""
        world, tri = self.caster.world, self.caster.triangles
        lit, lit_depth = self._sunlit()
        light = world.light
        lens = np.array([self.intrinsic[0, 0], self.intrinsic[0, 2], self.intrinsic[1, 2]])
        sky = np.array(
            [*light.sun, light.sun_strength, light.sky_strength, light.haze, light.clouds, light.warmth, light.exposure]
        )
        ground = np.array([*world.paint_origin, world.paint_scale])
        return shade(
            self.rows, self.depth, lit, lit_depth, tri.normal, tri.material, tri.colour, tri.seed, tri.owner, tri.poses,
            self.pose, lens, sky, world.paint, ground, int(rng.integers(2**31)),
        )  # fmt: skip


def visible_share(
    caster: RayCaster, numbers: Sequence[int], cameras: Sequence[Tuple[np.ndarray, np.ndarray]], samples: int = 96
) -> List[float]:
    """For each actor, the share of its image that nothing hides, over all cameras.

    Points are spread over the actor's faces; each point facing a camera inside the image counts by the solid angle that
    its patch fills, and is hidden if a ray to it meets something else first.

    Args:
        caster: world at the moment asked about.
        numbers: actor numbers.
        cameras: per camera its (4, 4) camera-to-scene pose and (3, 3) intrinsic.
        samples: points per actor.

    Returns:
        One number 0..1 per actor; 0 where no camera sees it.
    """
    place, normal, area, owner = [], [], [], []
    for number in numbers:
        actor = caster.world.actors[number]
        mesh = actor.mesh.moved(*actor.pose(caster.time))
        corners = mesh.vertices[mesh.faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        size = np.linalg.norm(cross, axis=1)
        # Evenly spaced in the cumulated area: the same points for every camera and every run.
        pick = np.searchsorted(np.cumsum(size), (np.arange(samples) + 0.5) / samples * size.sum())
        pick = np.minimum(pick, len(size) - 1)
        place.append(corners[pick].mean(axis=1))
        normal.append(cross[pick] / np.maximum(size[pick, None], 1e-12))
        area.append(np.full(samples, size.sum() / samples))
        owner.append(np.full(samples, number))
    if not place:
        return []
    place, normal, area, owner = (np.concatenate(rows) for rows in (place, normal, area, owner))
    whole, seen = np.zeros(len(owner)), np.zeros(len(owner))
    for pose, intrinsic in cameras:
        ray = place - pose[:3, 3]
        local = ray @ pose[:3, :3]
        depth = np.maximum(local[:, 2], 1e-6)
        u = intrinsic[0, 0] * local[:, 0] / depth + intrinsic[0, 2]
        v = intrinsic[1, 1] * local[:, 1] / depth + intrinsic[1, 2]
        inside = (local[:, 2] > 0.3) & (u >= -0.5) & (u < IMAGE_WIDTH - 0.5) & (v >= -0.5) & (v < IMAGE_HEIGHT - 0.5)
        distance = np.linalg.norm(ray, axis=1)
        weight = np.where(inside, area * np.maximum(-(normal * ray).sum(1), 0.0) / distance**3, 0.0)
        ask = weight > 0
        if not ask.any():
            continue
        origins = np.tile(pose[:3, 3].astype(np.float32), (int(ask.sum()), 1))
        row, _ = caster.first_hit(origins, ray[ask].astype(np.float32))
        met = caster.triangles.instance[np.maximum(row, 0)]
        whole[ask] += weight[ask]
        seen[ask] += weight[ask] * ((row < 0) | (met == owner[ask]))
    whole, seen = whole.reshape(-1, samples).sum(1), seen.reshape(-1, samples).sum(1)
    return [float(s / w) if w > 0 else 0.0 for s, w in zip(seen, whole)]
