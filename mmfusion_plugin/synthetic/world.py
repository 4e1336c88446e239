"""A scene as data: static surroundings, actors that may move, the ego car's path, the light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Tuple

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh

#: Boxes are drawn this much (m) wider than the shape, as annotators do; it also covers the LiDAR's range noise.
BOX_MARGIN = 0.05


@dataclass
class Actor:
    """An annotated object. ``mesh`` is in its own frame (x forward, on z = 0); it stands at ``position`` (x, y, z) m
    at time 0 with heading ``yaw`` (rad) and drives straight ahead at ``speed`` (m/s). ``category`` is the fine nuScenes
    category, ``attribute`` the official attribute name or ''."""

    mesh: Mesh
    category: int
    position: Tuple[float, float, float]
    yaw: float
    speed: float = 0.0
    attribute: str = ''

    def pose(self, time: float) -> Tuple[float, float, float, float]:
        """(x, y, z, yaw) at ``time`` seconds, in the scene's frame."""
        x, y, z = self.position
        step = self.speed * time
        return x + step * np.cos(self.yaw), y + step * np.sin(self.yaw), z, self.yaw

    @property
    def size(self) -> Tuple[float, float, float]:
        """Width, length, height of its box in metres (nuScenes' order)."""
        low, high = self.mesh.bounds
        half = np.maximum(np.abs(low), np.abs(high)) + BOX_MARGIN
        return float(2 * half[1]), float(2 * half[0]), float(high[2] - min(low[2], 0.0) + 2 * BOX_MARGIN)

    def box(self, time: float) -> Tuple[np.ndarray, Tuple[float, float, float], float]:
        """Centre (3,) m in the scene's frame, size (width, length, height) and yaw of its box at ``time``."""
        x, y, z, yaw = self.pose(time)
        return np.array([x, y, z + self.size[2] / 2 - BOX_MARGIN]), self.size, yaw


@dataclass
class Light:
    """Sun direction (3,) towards the sun, its strength, the strength of the sky, haze per metre, cloud cover 0..1,
    warmth of the sun 0..1 and the camera's exposure."""

    sun: np.ndarray
    sun_strength: float
    sky_strength: float
    haze: float
    clouds: float
    warmth: float
    exposure: float


@dataclass
class World:
    """One scene. ``paint (rows, columns, 3)`` uint8 holds white marks, yellow marks and dark stains on the ground at
    ``paint_scale`` pixels per metre, its pixel (0, 0) at ``paint_origin`` (x, y); ``drivable`` is the map prior in the
    same grid. ``ego`` holds (speed m/s, lane y m, sway m)."""

    static: Mesh
    seeds: np.ndarray
    actors: List[Actor]
    light: Light
    paint: np.ndarray
    paint_origin: Tuple[float, float]
    paint_scale: float
    drivable: np.ndarray
    ego: Tuple[float, float, float]
    global_pose: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    description: str = ''
    extras: List[str] = field(default_factory=list)

    def ego_pose(self, time: float) -> Tuple[float, float, float]:
        """(x, y, yaw) of the ego car at ``time`` seconds in the scene's frame: a slight sway within its lane."""
        speed, lane, sway = self.ego
        rate = 2 * np.pi / 9.0
        lateral = sway * np.sin(rate * time)
        return speed * time, lane + lateral, float(np.arctan2(sway * rate * np.cos(rate * time), max(speed, 1e-6)))
