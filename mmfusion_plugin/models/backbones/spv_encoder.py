"""The multi-scale point-voxel encoder of 2DPASS (Yan et al., ECCV 2022, arXiv 2207.04397)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.norm import NormCfg, build_norm
from mmfusion_plugin.models.layers.sparse_modules import SparseBasicBlock
from mmfusion_plugin.models.layers.voxel_pyramid import VoxelPyramid
from mmfusion_plugin.ops.sparse_conv import SparseTensor


@dataclass
class SPVLevel:
    """What one point-voxel block found.

    The voxel encoder works on the voxels the block received (those of the scale before); the point encoder's result
    lives on the voxels of the block's own scale. Distillation compares the first kind, the classifier reads the second.

    Attributes:
        scale: The block's own scale.
        last_scale: Scale of the voxels the block received; 1 for the first.
        voxel_features: (V_last, C) output of the voxel encoder.
        voxel_coordinates: (V_last, 4) int64 [batch, x, y, z] at the last scale.
        voxel_inverse: (N,) int64 last-scale voxel of each point.
        fused_features: (V, C) output of the point encoder at the block's own scale.
        fused_inverse: (N,) int64 own-scale voxel of each point.
    """

    scale: int
    last_scale: int
    voxel_features: Tensor
    voxel_coordinates: Tensor
    voxel_inverse: Tensor
    fused_features: Tensor
    fused_inverse: Tensor

    @property
    def point_features(self) -> Tensor:
        """(N, C) feature of each point at this scale (a copy per point of its voxel's ``fused_features``)."""
        return self.fused_features.index_select(0, self.fused_inverse)


@dataclass
class SPVFeatures:
    """Encoder output for a batch of N points in all.

    Attributes:
        levels: One entry per block, fine to coarse.
        batch_index: (N,) int64 sample of each point; points keep their order, samples follow each other.
        batch_size: Number of samples.
    """

    levels: List[SPVLevel]
    batch_index: Tensor
    batch_size: int


class PointEncoder(nn.Module):
    """Point branch of a block: each voxel beside its neighbourhood of 2x2x2, brought to the block's scale.

    2DPASS evaluates ``layer_out`` on every point and averages per voxel afterwards. Points of one voxel hold equal
    features there, and a linear map commutes with a mean, so here the first linear map runs once per voxel and the
    second once per coarser voxel: the same function with a fraction of the rows.

    Args:
        channels: C.
        norm_cfg: Normalisation over voxels.
    """

    def __init__(self, channels: int, norm_cfg: NormCfg = None) -> None:
        super().__init__()
        half = channels // 2
        self.layer_in = nn.Sequential(nn.Linear(channels, channels), nn.LeakyReLU(0.1, inplace=True))
        self.context = nn.Sequential(
            nn.Linear(channels, half),
            nn.LeakyReLU(0.1, inplace=True),
            build_norm(norm_cfg, half),
            nn.Linear(half, half),
            nn.LeakyReLU(0.1, inplace=True),
            build_norm(norm_cfg, half),
            nn.Linear(half, channels),
            nn.LeakyReLU(0.1, inplace=True),
        )
        self.layer_out = nn.Sequential(
            nn.Linear(2 * channels, channels), nn.LeakyReLU(0.1, inplace=True), nn.Linear(channels, channels)
        )

    def forward(self, features: Tensor, pyramid: VoxelPyramid, last_scale: int, scale: int) -> Tensor:
        """(V_last, C) features at the last scale to (V, C) at the block's scale."""
        halve, back = pyramid.halved_mean(last_scale)
        first, activation, second = self.layer_out
        # A linear map of a concatenation is a sum, whose second part is found once for each 2x2x2.
        own, around = first.weight.split(features.shape[1], 1)
        context = nn.functional.linear(self.context(halve(features)), around, first.bias)
        hidden = activation(nn.functional.linear(self.layer_in(features), own) + context.index_select(0, back))
        return second(pyramid.voxel_mean(last_scale, scale)(hidden))


class SPVBlock(nn.Module):
    """Voxel encoder of two residual sparse blocks beside a point encoder; their sum goes on at the next scale.

    Args:
        channels: C.
        norm_cfg: Normalisation over voxels.
        backend: Of the sparse convolutions.
    """

    def __init__(self, channels: int, norm_cfg: NormCfg = None, backend: str = 'auto') -> None:
        super().__init__()
        self.voxel_encoder = nn.Sequential(
            SparseBasicBlock(channels, channels, norm_cfg, backend),
            SparseBasicBlock(channels, channels, norm_cfg, backend),
        )
        self.point_encoder = PointEncoder(channels, norm_cfg)

    def forward(self, features: Tensor, pyramid: VoxelPyramid, last_scale: int, scale: int) -> SPVLevel:
        """(V_last, C) features at the last scale to the block's level."""
        last, own = pyramid.levels[last_scale], pyramid.levels[scale]
        x = SparseTensor(features, last.coordinates, last.spatial_shape, pyramid.batch_size, last.cache)
        encoded = self.voxel_encoder(x).features
        fused = self.point_encoder(features + encoded, pyramid, last_scale, scale)
        return SPVLevel(scale, last_scale, encoded, last.coordinates, last.inverse, fused, own.inverse)


@MODELS.register_module()
class SPVEncoder(BaseModule):
    """2DPASS's 3D network without its classifier: point features into voxels, six point-voxel blocks.

    Differs from the published code in evaluation order only (see :class:`PointEncoder`), and in that each level
    declares the spatial shape it needs (the published one is twice as large from the second block on, without effect).

    Args:
        in_channels: Point features: x, y, z in metres, then intensity (0 to 255 in nuScenes) and so on.
        hidden: Width C of all features; 256 in 2DPASS's nuScenes model.
        scales: Voxel scale of each block.
        lower: Least corner of the volume in metres.
        upper: Greatest corner of the volume in metres, outside.
        spatial_shape: Voxels along x, y, z at scale 1; (1000, 1000, 70) are 0.1 m.
        voxel_centre: Measure a point's offset from its voxel's centre; False is the published code's voxel corner.
        norm_cfg: Normalisation; None is ``RowBatchNorm1d``.
        backend: Of the sparse convolutions: 'auto', 'torch' or 'spconv'.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        in_channels: int = 4,
        hidden: int = 256,
        scales: Sequence[int] = (2, 4, 8, 16, 16, 16),
        lower: Sequence[float] = (-50.0, -50.0, -4.0),
        upper: Sequence[float] = (50.0, 50.0, 3.0),
        spatial_shape: Sequence[int] = (1000, 1000, 70),
        voxel_centre: bool = False,
        norm_cfg: NormCfg = None,
        backend: str = 'auto',
        init_cfg: NormCfg = None,
    ) -> None:
        super().__init__(init_cfg)
        if in_channels < 3:
            raise ValueError(f'in_channels counts x, y, z and further features, got {in_channels}')
        self.in_channels, self.hidden = in_channels, hidden
        self.scales, self.last_scales = tuple(scales), (1, *scales[:-1])
        self.lower, self.upper, self.spatial_shape = tuple(lower), tuple(upper), tuple(spatial_shape)
        self.corner_shift = 0.5 if voxel_centre else 0.0
        self.point_mlp = nn.Sequential(
            nn.Linear(in_channels + 6, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden)
        )
        self.blocks = nn.ModuleList(SPVBlock(hidden, norm_cfg, backend) for _ in scales)

    def forward(self, points: List[Tensor]) -> SPVFeatures:
        """Encode point clouds.

        Args:
            points: (N_i, in_channels) of each sample, all inside the volume (``ops.voxels.in_volume``); N_i may be 0.

        Returns:
            Features of each block for all points of the batch.
        """
        for sample in points:
            if sample.ndim != 2 or sample.shape[1] != self.in_channels:
                raise ValueError(f'points must be (N, {self.in_channels}) per sample, got {tuple(sample.shape)}')
        pyramid = VoxelPyramid(points, self.lower, self.upper, self.spatial_shape, self.scales)
        features = self._voxel_features(pyramid)
        levels = []
        for block, last_scale, scale in zip(self.blocks, self.last_scales, self.scales):
            level = block(features, pyramid, last_scale, scale)
            features = level.fused_features + pyramid.voxel_mean(last_scale, scale)(level.voxel_features)
            levels.append(level)
        return SPVFeatures(levels, pyramid.batch_index, pyramid.batch_size)

    def _voxel_features(self, pyramid: VoxelPyramid) -> Tensor:
        """(V, hidden) features at scale 1: the MLP of each point beside its offsets from its voxel, averaged.

        The MLP's last linear map commutes with the mean and runs once per voxel.
        """
        level, mean = pyramid.levels[1], pyramid.point_mean(1)
        points = pyramid.points
        xyz = points[:, :3]
        lower, upper, shape = (xyz.new_tensor(v) for v in (self.lower, self.upper, self.spatial_shape))
        corner = (level.coordinates[:, 1:] + self.corner_shift) * ((upper - lower) / shape) + lower
        offsets = xyz.repeat(1, 2) - torch.cat([mean(xyz), corner], 1).index_select(0, level.inverse)
        first, activation, second = self.point_mlp
        return second(mean(activation(first(torch.cat([points, offsets], 1)))))
