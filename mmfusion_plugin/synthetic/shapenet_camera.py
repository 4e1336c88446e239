"""3D-R2N2's camera: viewpoints as its metadata has them, and pictures of a shape from them.

In the model's frame (y up, x forward) the camera stands at

    1.75 * ratio * (cos(elevation) cos(azimuth), sin(elevation), cos(elevation) sin(azimuth))

and looks at the origin, upright. Its lens is the one that Blender starts with, 35 mm before a sensor 32 mm wide; the
field of view of 25 degrees that the metadata names was never set. Sources: ``setViewpoint`` in 3D-R2N2's
``lib/blender_renderer.py``, and the ranges of viewpoints in its ``tools/render_models.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.raycast import _embree_scene, _tables

IMAGE_SIZE = 137
#: Focal length and principal point (pixels, pixel centres at integers).
FOCAL, CENTER = 35.0 / 32.0 * IMAGE_SIZE, (IMAGE_SIZE - 1) / 2
FARTHEST = 1.75
ELEVATIONS, RATIOS = (25.0, 30.0), (0.65, 0.95)
NAMED_FIELD_OF_VIEW = 25
# Rays along each side of a pixel; they also set the steps of alpha at silhouettes.
_RAYS = 3
# Light on a face: everywhere, from above, and along the line of sight. Ours, close to two lamps above the model.
_AMBIENT, _OVERHEAD, _HEADLIGHT = 0.5, 0.35, 0.3


@dataclass(frozen=True)
class Viewpoint:
    """Where a picture is taken from: ``azimuth`` and ``elevation`` in degrees, ``ratio`` of the farthest distance."""

    azimuth: float
    elevation: float
    ratio: float

    @property
    def line(self) -> str:
        """Its line of ``rendering_metadata.txt``: azimuth, elevation, in-plane rotation, ratio, field of view."""
        return f'{self.azimuth} {self.elevation} 0 {self.ratio} {NAMED_FIELD_OF_VIEW}'

    def pose(self) -> np.ndarray:
        """``(4, 4)`` camera (x right, y down, z forward) to the model's frame."""
        azimuth, elevation = np.radians(self.azimuth), np.radians(self.elevation)
        out = np.array([np.cos(elevation) * np.cos(azimuth), np.sin(elevation), np.cos(elevation) * np.sin(azimuth)])
        right = np.array([np.sin(azimuth), 0.0, -np.cos(azimuth)])
        pose = np.eye(4)
        pose[:3] = np.stack([right, np.cross(right, out), -out, FARTHEST * self.ratio * out], axis=1)
        return pose

    def project(self, points: np.ndarray) -> np.ndarray:
        """``(N, 2)`` column and row, pixel centres at integers, of ``points (N, 3)`` in the model's frame."""
        pose = self.pose()
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        return FOCAL * local[:, :2] / local[:, 2:] + CENTER


def draw_viewpoint(rng: np.random.Generator) -> Viewpoint:
    """A viewpoint from 3D-R2N2's ranges, as precise as its line in the metadata."""
    azimuth, elevation, ratio = rng.uniform(0, 360), rng.uniform(*ELEVATIONS), rng.uniform(*RATIOS)
    return Viewpoint(round(float(azimuth), 6), round(float(elevation), 6), round(float(ratio), 6))


class Studio:
    """Takes pictures of one shape.

    Args:
        mesh: In the model's frame.
        two_sided: The mesh does not know its outside: light falls on whichever side of a face is seen. Otherwise its
            faces look outwards.
    """

    def __init__(self, mesh: Mesh, two_sided: bool = False) -> None:
        corners = mesh.vertices[mesh.faces]
        self._mesh, self._two_sided = mesh, two_sided
        self._corner, _, _, self._normal = _tables(corners)
        self._scene = _embree_scene(corners)

    def picture(self, view: Viewpoint) -> np.ndarray:
        """``(137, 137, 4)`` uint8 RGBA; alpha is the share of a pixel that is covered, colours are not multiplied by it
        and black where it is 0."""
        (left, top), (right, low) = self._frame(view)
        pose = view.pose().astype(np.float32)
        x, y = _slopes(left, right + 1), _slopes(top, low + 1)
        rays = pose[:3, 2] + x[None, :, None] * pose[:3, 0] + y[:, None, None] * pose[:3, 1]
        origins = np.broadcast_to(pose[:3, 3], rays.shape).reshape(-1, 3).copy()
        rows = self._scene.run(origins, rays.reshape(-1, 3)).reshape(len(y), len(x))
        # Row -1, for rays that meet nothing, is the last one of the table.
        table = self._table(pose[:3, 3], pose[:3, 2])
        seen = sum(
            table.take(rows[i::_RAYS, j::_RAYS], axis=0, mode='wrap') for i in range(_RAYS) for j in range(_RAYS)
        )
        seen[..., :3] /= np.maximum(seen[..., 3:], 1.0)
        seen[..., 3] /= _RAYS**2
        image = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 4), dtype=np.uint8)
        image[top : low + 1, left : right + 1] = np.rint(255 * seen)
        return image

    def _frame(self, view: Viewpoint) -> Tuple[np.ndarray, np.ndarray]:
        """First and last column and row that may show the shape."""
        pixels = view.project(self._mesh.vertices)
        first, last = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))
        return first.clip(0, IMAGE_SIZE - 1).astype(int), last.clip(0, IMAGE_SIZE - 1).astype(int)

    def _table(self, eye: np.ndarray, ahead: np.ndarray) -> np.ndarray:
        """``(F + 1, 4)`` float32 colour and alpha of each face seen from ``eye`` along ``ahead``, and of nothing."""
        upward = self._normal[:, 1]
        if self._two_sided:
            averted = np.einsum('ij,ij->i', self._normal, eye - self._corner) < 0
            upward = np.where(averted, -upward, upward)
        light = _AMBIENT + _OVERHEAD * upward + _HEADLIGHT * np.abs(self._normal @ ahead)
        table = np.zeros((len(light) + 1, 4), dtype=np.float32)
        table[:-1, :3] = np.clip(self._mesh.colour * light[:, None], 0.0, 1.0)
        table[:-1, 3] = 1.0
        return table


def _slopes(first: int, end: int) -> np.ndarray:
    """Float32 slopes of the rays through pixels ``first`` to ``end`` - 1, along one side of the picture."""
    steps = np.arange(first * _RAYS, end * _RAYS)
    return (((steps + 0.5) / _RAYS - 0.5 - CENTER) / FOCAL).astype(np.float32)
