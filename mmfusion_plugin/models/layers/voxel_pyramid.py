"""Voxels of a batch of point clouds at several scales, found once and shared by every block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import torch
from torch import Tensor

from mmfusion_plugin.ops.voxels import unique_voxels, voxel_coordinates

from .row_transfer import RowTransfer


@dataclass(frozen=True)
class VoxelLevel:
    """Occupied voxels at one scale.

    Attributes:
        scale: Edge length in voxels of scale 1.
        spatial_shape: ``ceil(shape / scale)`` along x, y, z.
        coordinates: (V, 4) int64 sorted [batch, x, y, z].
        inverse: (N,) int64 voxel of each point.
        cache: Rulebooks of sparse convolutions on these voxels.
    """

    scale: int
    spatial_shape: Tuple[int, int, int]
    coordinates: Tensor
    inverse: Tensor
    cache: dict

    @property
    def num_voxels(self) -> int:
        """V."""
        return self.coordinates.shape[0]


class VoxelPyramid:
    """Levels of a batch, and the means between them.

    A voxel's index is ``trunc(ceil(shape / scale) * (p - lower) / (upper - lower))`` (2DPASS's code); levels need not
    nest, since ``ceil(shape / scale)`` need not divide, so a fine voxel's points may lie in two coarse voxels.

    Args:
        points: Points of each sample, (N_i, >= 3), columns x, y, z first, all inside the volume.
        lower: Least corner in metres.
        upper: Greatest corner in metres (outside).
        spatial_shape: Voxels along x, y, z at scale 1.
        scales: Scales to prepare; 1 is always there.
    """

    def __init__(
        self,
        points: List[Tensor],
        lower: Sequence[float],
        upper: Sequence[float],
        spatial_shape: Sequence[int],
        scales: Sequence[int],
    ) -> None:
        self.batch_size = len(points)
        joined = torch.cat(points)
        self.points = joined if joined.dtype == torch.float64 else joined.float()
        sizes = torch.tensor([len(p) for p in points], device=self.points.device)
        self.batch_index = torch.repeat_interleave(torch.arange(len(points), device=sizes.device), sizes)
        self.levels: Dict[int, VoxelLevel] = {}
        self._means: Dict[Tuple[int, int], RowTransfer] = {}
        xyz = self.points[:, :3]
        for scale in sorted({1, *scales}):
            shape = tuple(math.ceil(n / scale) for n in spatial_shape)
            grid = voxel_coordinates(xyz, lower, upper, shape)
            voxels = unique_voxels(torch.cat([self.batch_index[:, None], grid], 1))
            self.levels[scale] = VoxelLevel(scale, shape, voxels.coordinates, voxels.inverse, {})

    def point_mean(self, scale: int) -> RowTransfer:
        """Mean of the points in each voxel of a scale."""
        if (0, scale) not in self._means:
            level = self.levels[scale]
            rows = torch.arange(level.inverse.shape[0], device=level.inverse.device)
            self._means[0, scale] = RowTransfer.mean(rows, level.inverse, rows.shape[0], level.num_voxels)
        return self._means[0, scale]

    def voxel_mean(self, source: int, target: int) -> RowTransfer:
        """Mean over points from the voxels of one scale to those of another."""
        if (source, target) not in self._means:
            fine, coarse = self.levels[source], self.levels[target]
            self._means[source, target] = RowTransfer.mean(
                fine.inverse, coarse.inverse, fine.num_voxels, coarse.num_voxels
            )
        return self._means[source, target]

    def halved_mean(self, scale: int) -> Tuple[RowTransfer, Tensor]:
        """Mean of the voxels (each counted once) that share ``coordinates // 2``, and the (V,) way back."""
        key = (scale, -1)
        if key not in self._means:
            level = self.levels[scale]
            coordinates = level.coordinates.clone()
            coordinates[:, 1:] = torch.div(coordinates[:, 1:], 2, rounding_mode='floor')
            halved = unique_voxels(coordinates)
            rows = torch.arange(level.num_voxels, device=coordinates.device)
            transfer = RowTransfer.mean(rows, halved.inverse, level.num_voxels, halved.coordinates.shape[0])
            self._means[key] = (transfer, halved.inverse)
        return self._means[key]
