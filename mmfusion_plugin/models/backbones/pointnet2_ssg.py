"""PointNet++ with single-scale grouping (Qi et al., arXiv 1706.02413), in the form MVPNet and SAFNet use."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.cloud_batch import join_rows, search_clouds
from mmfusion_plugin.models.layers.row_mlp import row_mlp
from mmfusion_plugin.ops.neighbours import ball_query, farthest_point_sample, knn

CLOSEST = 1e-10  # squared distance (m^2) below which sources weigh alike (MVPNet)


@MODELS.register_module()
class PointNet2SSG(BaseModule):
    """Set abstraction to four ever sparser levels, and feature propagation back to all points.

    The defaults are MVPNet's and SAFNet's, with 947,872 parameters at ``in_channels=64``. As there, the input features
    enter the first abstraction only and the last propagation has no skip connection. Any cloud is taken: one smaller
    than ``num_centroids`` keeps all its points.

    Args:
        in_channels: Width of the points' features beside xyz; 0: none.
        sa_channels: Widths of the layers of each abstraction.
        num_centroids: Points kept by each abstraction.
        radii: Radius of each abstraction's balls (metres).
        max_neighbours: Points taken from each ball, the first ones by index.
        fp_channels: Widths of the layers of each propagation, from the sparsest level.
        interpolation: ``'squared'`` weighs the three nearest sources by ``1 / max(d^2, 1e-10)`` (MVPNet, SAFNet),
            ``'linear'`` by ``1 / (d + 1e-8)`` (mmdet3d, PointNet++).
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the result.
    """

    def __init__(
        self,
        in_channels: int = 64,
        sa_channels: Sequence[Sequence[int]] = ((32, 32, 64), (64, 64, 128), (128, 128, 256), (256, 256, 512)),
        num_centroids: Sequence[int] = (2048, 512, 128, 32),
        radii: Sequence[float] = (0.1, 0.2, 0.4, 0.8),
        max_neighbours: Sequence[int] = (32, 32, 32, 32),
        fp_channels: Sequence[Sequence[int]] = ((256, 256), (256, 256), (256, 128), (128, 128, 128)),
        interpolation: str = 'squared',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        counts = [len(option) for option in (sa_channels, num_centroids, radii, max_neighbours, fp_channels)]
        if len(set(counts)) > 1:
            raise ValueError(f'sa_channels, num_centroids, radii, max_neighbours, fp_channels have lengths {counts}')
        self.in_channels, self.out_channels = in_channels, fp_channels[-1][-1]
        widths = [in_channels, *(channels[-1] for channels in sa_channels)]
        self.abstractions = nn.ModuleList(
            SetAbstraction(width, *options)
            for width, options in zip(widths, zip(sa_channels, num_centroids, radii, max_neighbours))
        )
        skips = [0, *widths[1:-1]][::-1]
        sources = [widths[-1], *(channels[-1] for channels in fp_channels)]
        self.propagations = nn.ModuleList(
            FeaturePropagation(source + skip, channels, interpolation)
            for source, skip, channels in zip(sources, skips, fp_channels)
        )

    def forward(self, clouds: Sequence[Tensor], features: Optional[Tensor] = None) -> Tensor:
        """Features of all points.

        Args:
            clouds: (N_i, 3) xyz of each sample, metres; a sample may be empty. Only differences of coordinates count.
            features: (N, in_channels) of all points, samples after each other; None where ``in_channels`` is 0.

        Returns:
            (N, out_channels).

        Raises:
            ValueError: The features do not fit ``in_channels`` or the points.
        """
        total = sum(len(cloud) for cloud in clouds)
        given = (total, 0) if features is None else tuple(features.shape)
        if given != (total, self.in_channels):
            raise ValueError(f'need features of shape {(total, self.in_channels)} for these points, got {given}')
        levels: List[Tuple[List[Tensor], Optional[Tensor]]] = [(list(clouds), None)]
        for abstraction in self.abstractions:
            clouds, features = abstraction(clouds, features)
            levels.append((clouds, features))
        for propagation, (dense, skip) in zip(self.propagations, levels[-2::-1]):
            features = propagation(dense, clouds, skip, features)
            clouds = dense
        return features


class SetAbstraction(nn.Module):
    """Farthest points, the ball around each, a shared MLP on the points in it, and their maximum.

    Args:
        in_channels: Width of the features; 0: none.
        channels: Widths of the MLP's layers.
        num_centroids: Points kept.
        radius: Of the balls (metres).
        max_neighbours: Points taken from each ball.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], num_centroids: int, radius: float, max_neighbours: int
    ) -> None:
        super().__init__()
        self.in_channels, self.num_centroids = in_channels, num_centroids
        self.radius, self.max_neighbours = radius, max_neighbours
        self.mlp = row_mlp(in_channels + 3, channels)

    def forward(self, clouds: Sequence[Tensor], features: Optional[Tensor]) -> Tuple[List[Tensor], Tensor]:
        """Clouds (N_i, 3) and features (N, C) of all points to those of the centroids."""
        sizes = [len(cloud) for cloud in clouds]
        chosen = search_clouds(lambda xyz: farthest_point_sample(xyz, min(self.num_centroids, xyz.shape[1])), clouds)
        centres = [cloud[rows] for cloud, rows in zip(clouds, chosen)]
        inside = search_clouds(lambda c, xyz: ball_query(c, xyz, self.radius, self.max_neighbours), centres, clouds)
        index = join_rows(inside, sizes)
        offset = torch.cat(list(clouds))[index] - torch.cat(centres)[:, None]
        # The first linear map of [feature, offset] is a sum of two, the first of which is the same in each ball.
        first, rest = self.mlp[0], self.mlp[1:]
        grouped = F.linear(offset.to(first.weight.dtype), first.weight[:, self.in_channels:])
        if features is not None:
            own = F.linear(features, first.weight[:, :self.in_channels])
            grouped = grouped + own.index_select(0, index.flatten()).view(grouped.shape)
        pooled = rest(grouped.flatten(0, 1)).unflatten(0, index.shape).amax(1)
        return centres, pooled


class FeaturePropagation(nn.Module):
    """Features of a sparse level interpolated at the points of a denser one, joined to its own, through an MLP.

    Args:
        in_channels: Width of both features together.
        channels: Widths of the MLP's layers.
        interpolation: See :class:`PointNet2SSG`.
    """

    def __init__(self, in_channels: int, channels: Sequence[int], interpolation: str = 'squared') -> None:
        super().__init__()
        if interpolation not in ('squared', 'linear'):
            raise ValueError(f"interpolation must be 'squared' or 'linear', got {interpolation!r}")
        self.interpolation = interpolation
        self.mlp = row_mlp(in_channels, channels)

    def forward(
        self, dense: Sequence[Tensor], sparse: Sequence[Tensor], skip: Optional[Tensor], features: Tensor
    ) -> Tensor:
        """(M, C) features of the ``sparse`` clouds and (N, S) of the ``dense`` ones to (N, channels[-1])."""
        found = search_clouds(lambda targets, sources: knn(targets, sources, 3)[1], dense, sparse)
        index = join_rows(found, [len(cloud) for cloud in sparse])
        dist2 = (torch.cat(list(dense))[:, None] - torch.cat(list(sparse))[index]).square().sum(2).detach()
        dist2 = dist2.masked_fill(index < 0, torch.inf)
        inverse = 1 / (dist2.clamp(min=CLOSEST) if self.interpolation == 'squared' else dist2.sqrt() + 1e-8)
        weight = (inverse / inverse.sum(1, keepdim=True)).to(features.dtype)
        # Not three_interpolate, whose result without sources does not depend on the features: their graph must stay.
        rows = index.clamp(min=0)
        spread = sum(weight[:, [corner]] * features.index_select(0, rows[:, corner]) for corner in range(3))
        return self.mlp(spread if skip is None else torch.cat([spread, skip], 1))

