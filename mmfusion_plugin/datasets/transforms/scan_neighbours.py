"""Neighbours of the points of a chunk, searched while data are loaded instead of while the model waits."""

from __future__ import annotations

from typing import Optional

import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...ops.neighbours import knn
from ...ops.octants import octant_neighbours
from .arguments import check_number
from .packing import valid_pixels


@TRANSFORMS.register_module()
class FindNeighbours(BaseTransform):
    """Search what ``MVPNet`` and ``SAFNet`` need around each point; last before packing.

    The models search what is not handed over, with the same result; on a GPU that may be faster.

    Args:
        pixels: Nearest unprojected pixels of each point (MVPNet: 3, SAFNet: 64); 0 searches none.
        points: Nearest points of each point, itself among them (SAFNet: 64); 0 searches none.
        octant_radius: Also the nearest point in each octant within so many metres (SAFNet: 0.1); None searches none.
    """

    def __init__(self, pixels: int = 3, points: int = 0, octant_radius: Optional[float] = None) -> None:
        check_number('pixels', pixels, 0)
        check_number('points', points, 0)
        if octant_radius is not None:
            check_number('octant_radius', octant_radius, 0)
        self.pixels, self.points, self.octant_radius = int(pixels), int(points), octant_radius

    def transform(self, results: dict) -> dict:
        """Add ``pixel_neighbours`` ``(N, pixels)``, ``point_neighbours`` ``(N, points)`` and ``octants`` ``(N, 8)``,
        int64 tensors, nearest first, -1 where there are fewer."""
        cloud = results['points'].tensor[:, :3].contiguous()
        if self.pixels and 'pixel_xyz' in results:
            results['pixel_neighbours'] = knn(cloud, torch.from_numpy(valid_pixels(results)), self.pixels)[1]
        if self.points:
            results['point_neighbours'] = knn(cloud, cloud, self.points)[1]
        if self.octant_radius is not None:
            results['octants'] = octant_neighbours(cloud, self.octant_radius)
        return results
