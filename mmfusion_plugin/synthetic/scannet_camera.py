"""An RGB-D camera in a room: colour, depth with its noise and holes, and the labels of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np

from mmfusion_plugin.synthetic.raycast import RayCaster
from mmfusion_plugin.synthetic.scannet_room import Room
from mmfusion_plugin.synthetic.scannet_shader import Surfaces, resolve, shade_image
from mmfusion_plugin.synthetic.scannet_textures import GLOW, PANE, SCREEN

COLOR_SIZE, DEPTH_SIZE = (1296, 968), (640, 480)
# Lenses (fx, fy, cx, cy) of those sizes: typical of ScanNet's iPads and Structure Sensors.
_COLOR_LENS, _DEPTH_LENS = (1169.62, 1167.11, 646.295, 489.927), (577.871, 577.871, 319.5, 239.5)
# Depth (m) that the sensor measures; it has holes where it sees a surface flatter than this cosine.
NEAREST, FARTHEST, FLATTEST = 0.35, 6.5, 0.12
# Shadows are sampled at every fourth depth pixel, towards two places of each lamp.
SHADOW_STEP = 4
_LAMP_OFFSETS = np.array([[0.12, 0.06, 0.0], [-0.12, -0.06, 0.0]])


@dataclass
class View:
    """What a camera took: ``color (H, W, 3)`` uint8 RGB, ``depth (h, w)`` uint16 mm (0: no measurement) and
    ``label (H, W)`` uint16, ScanNet's raw ids as a careful annotator would draw them."""

    color: np.ndarray
    depth: np.ndarray
    label: np.ndarray


def lens(size: Tuple[int, int], depth: bool = False) -> np.ndarray:
    """``(fx, fy, cx, cy)`` float64 of an image of ``size`` (width, height), pixel centres at integers."""
    full, (fx, fy, cx, cy) = (DEPTH_SIZE, _DEPTH_LENS) if depth else (COLOR_SIZE, _COLOR_LENS)
    sx, sy = size[0] / full[0], size[1] / full[1]
    return np.array([fx * sx, fy * sy, (cx + 0.5) * sx - 0.5, (cy + 0.5) * sy - 0.5])


def depth_sigma(depth: np.ndarray) -> np.ndarray:
    """Axial noise (m) of a structured-light camera at ``depth`` metres.

    Source: Nguyen, Izadi, Lovell, "Modeling Kinect Sensor Noise for Improved 3D Reconstruction and Tracking", 2012.
    """
    return 0.0012 + 0.0019 * (depth - 0.4) ** 2


class RoomCamera:
    """Takes views of a room.

    Args:
        room: Where.
        color_size: Width and height of colour images and labels.
        depth_size: Width and height of depth images.
        depth_noise: Factor on the sensor's noise; at 0 depth is exact and has no holes but its range.
    """

    def __init__(
        self, room: Room, color_size: Tuple[int, int] = COLOR_SIZE, depth_size: Tuple[int, int] = DEPTH_SIZE,
        depth_noise: float = 1.0,
    ) -> None:
        self.room, self.color_size, self.depth_size, self.depth_noise = room, color_size, depth_size, depth_noise
        self.color_lens, self.depth_lens = lens(color_size), lens(depth_size, depth=True)
        self.caster = RayCaster(room)
        tri = self.caster.triangles
        places = np.array([(*actor.position, np.cos(actor.yaw), np.sin(actor.yaw)) for actor in room.actors])
        look = [tri.normal, tri.colour, places[tri.instance], tri.material[:, None], tri.seed[:, None]]
        look = np.concatenate([table.astype(np.float64) for table in look], axis=1)
        self.surfaces = Surfaces(tri.corner, tri.edge1, tri.edge2, tri.normal, look)

    def hits(self, pose: np.ndarray, size: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray]:
        """First hits of a depth camera of ``size`` at ``pose``: triangles ``(h, w)`` int32, -1 for none, and exact
        depth ``(h, w)`` float32 along its axis, inf for none."""
        fx, fy, cx, cy = lens(size, depth=True)
        u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(u.shape)], axis=-1).reshape(-1, 3)
        directions = (rays @ pose[:3, :3].T).astype(np.float32)
        origins = np.tile(pose[:3, 3].astype(np.float32), (len(rays), 1))
        rows, depth = self.caster.first_hit(origins, directions)
        return rows.reshape(u.shape).astype(np.int32), depth.reshape(u.shape)

    def lamps_seen(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """``(N, L)`` float32 share of each lamp that lights ``points (N, 3)`` m; 0 where ``normals`` look away."""
        out = np.zeros((len(points), len(self.room.lamps)), dtype=np.float32)
        start = points + 0.004 * normals
        for i, lamp in enumerate(self.room.lamps):
            facing = np.flatnonzero(((lamp[:3] - points) * normals).sum(1) > 0)
            for offset in _LAMP_OFFSETS:
                way = (lamp[:3] + offset - start[facing]).astype(np.float32)
                _, distance = self.caster.first_hit(start[facing].astype(np.float32), way)
                out[facing, i] += (distance > 0.97) / len(_LAMP_OFFSETS)
        return out

    def view(self, pose: np.ndarray, rng: np.random.Generator) -> View:
        """A frame taken at ``pose``, ``(4, 4)`` camera to room; ``rng`` draws exposure and noise."""
        rows, depth = self.hits(pose, self.depth_size)
        pixel_rows, pixel_depth = resolve(rows, self.depth_lens, self.surfaces, pose, self.color_lens, self.color_size)
        shadow_rows, shadow_depth = rows[::SHADOW_STEP, ::SHADOW_STEP], depth[::SHADOW_STEP, ::SHADOW_STEP]
        shadow_lens = self.depth_lens / SHADOW_STEP
        lit = self._lit(pose, shadow_rows, shadow_depth, shadow_lens)
        exposure, grain = 1.0 + 0.08 * float(np.clip(rng.normal(), -2, 2)), int(rng.integers(2**31))
        color = shade_image(
            pixel_rows, pixel_depth, self.surfaces, pose, self.color_lens, self.room.lamps, lit, shadow_depth,
            shadow_lens, exposure, grain,
        )  # fmt: skip
        label = self.caster.triangles.label[np.maximum(pixel_rows, 0)].astype(np.uint16)
        return View(color, self._measured(rows, depth, pose, rng), np.where(pixel_rows < 0, 0, label).astype(np.uint16))

    def _lit(self, pose: np.ndarray, rows: np.ndarray, depth: np.ndarray, lit_lens: np.ndarray) -> np.ndarray:
        """``(L, h, w)`` share of each lamp at the samples."""
        fx, fy, cx, cy = lit_lens
        u, v = np.meshgrid(np.arange(rows.shape[1]), np.arange(rows.shape[0]))
        rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(u.shape)], axis=-1).reshape(-1, 3) @ pose[:3, :3].T
        far = np.where(rows.ravel() < 0, 0.0, depth.ravel())
        normal = self.surfaces.normal[np.maximum(rows.ravel(), 0)].astype(np.float64)
        normal *= np.where((normal * rays).sum(1, keepdims=True) > 0, -1.0, 1.0)
        seen = self.lamps_seen(pose[:3, 3] + rays * far[:, None], normal)
        return np.ascontiguousarray(seen.T.reshape(-1, *rows.shape))

    def _measured(self, rows: np.ndarray, depth: np.ndarray, pose: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Depth image in mm with noise that grows with distance, and holes."""
        valid = (rows >= 0) & (depth > NEAREST) & (depth < FARTHEST)
        depth = np.where(valid, depth, 1.0)
        if self.depth_noise > 0:
            shape = self.depth_size
            # Neighbouring pixels share a match, so noise has a grain of about two pixels.
            grain = rng.standard_normal((shape[1] // 2 + 1, shape[0] // 2 + 1)).astype(np.float32)
            grain = 1.5 * cv2.resize(grain, shape, interpolation=cv2.INTER_LINEAR)
            blots = rng.random((shape[1] // 16 + 1, shape[0] // 16 + 1)).astype(np.float32)
            blots = cv2.resize(blots, shape, interpolation=cv2.INTER_LINEAR)
            material = self.caster.triangles.material[np.maximum(rows, 0)]
            shiny = (material == PANE) | (material == SCREEN) | (material == GLOW)
            valid &= ~(shiny & (blots > 0.55)) & (self._cosine(rows, pose) > FLATTEST)
            step = cv2.dilate(depth, np.ones((3, 3))) - cv2.erode(depth, np.ones((3, 3))) > 0.15
            valid &= ~(step & (blots > 0.4))
            depth = depth + self.depth_noise * depth_sigma(depth) * grain
        return np.where(valid, np.rint(depth * 1000), 0).astype(np.uint16)

    def _cosine(self, rows: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Of the angle between ray and normal at each pixel, ``(h, w)``."""
        fx, fy, cx, cy = self.depth_lens
        x, y = (np.arange(rows.shape[1]) - cx) / fx, (np.arange(rows.shape[0])[:, None] - cy) / fy
        normal = (self.surfaces.normal @ pose[:3, :3].astype(np.float32))[np.maximum(rows, 0)]
        along = normal[..., 0] * x + normal[..., 1] * y + normal[..., 2]
        return np.abs(along) / np.sqrt(x**2 + y**2 + 1)


def careless(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A label image as projected from an annotated scan before filtering: wavy borders and blots without label.

    Args:
        label: ``(H, W)`` uint16.
        rng: Draws the errors.

    Returns:
        ``(H, W)`` uint16.
    """
    height, width = label.shape
    coarse = (height // 24 + 2, width // 24 + 2)
    reach = width / 160  # 8 of 1296 pixels at most
    shift = [cv2.resize(rng.uniform(-reach, reach, coarse).astype(np.float32), (width, height)) for _ in range(2)]
    u, v = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    waved = cv2.remap(label, u + shift[0], v + shift[1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    blots = cv2.resize(rng.random((height // 48 + 2, width // 48 + 2)).astype(np.float32), (width, height))
    return np.where(blots > 0.88, 0, waved).astype(np.uint16)
