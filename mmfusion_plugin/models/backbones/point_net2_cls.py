"""PointNet++ up to the feature of the cloud, with single-scale grouping (Qi et al., arXiv 1706.02413)."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.cloud_rows import join_clouds, max_of_clouds
from mmfusion_plugin.models.layers.row_mlp import row_mlp

from .point_net import CloudFeatures
from .pointnet2_ssg import SetAbstraction


@MODELS.register_module()
class PointNet2Cls(BaseModule):
    """Two set abstractions, then a shared MLP on all centroids that are left, and its maximum.

    The defaults are the original's for classification (its appendix B.1), with 805,184 parameters. Their radii suit
    clouds in the unit sphere, so ``PixelToPoint`` with ``normalize='image'`` or ``'unit_sphere'``. Clouds may have any
    size, none or one point included: one smaller than ``num_centroids`` keeps all its points.

    Args:
        in_channels: Columns of the points after xyz, such as 3 for their colour; 0: none.
        sa_channels: Widths of the layers of each abstraction.
        num_centroids: Points kept by each abstraction.
        radii: Radius of each abstraction's balls, in the clouds' unit.
        max_neighbours: Points taken from each ball, the first ones by index.
        global_channels: Widths of the last MLP, which sees features and xyz; the last is the width of the result.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the result.
    """

    def __init__(
        self,
        in_channels: int = 0,
        sa_channels: Sequence[Sequence[int]] = ((64, 64, 128), (128, 128, 256)),
        num_centroids: Sequence[int] = (512, 128),
        radii: Sequence[float] = (0.2, 0.4),
        max_neighbours: Sequence[int] = (32, 64),
        global_channels: Sequence[int] = (256, 512, 1024),
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        counts = [len(option) for option in (sa_channels, num_centroids, radii, max_neighbours)]
        if len(set(counts)) > 1:
            raise ValueError(f'sa_channels, num_centroids, radii, max_neighbours have lengths {counts}')
        self.in_channels, self.out_channels = in_channels, global_channels[-1]
        widths = [in_channels, *(channels[-1] for channels in sa_channels)]
        self.abstractions = nn.ModuleList(
            SetAbstraction(width, *options)
            for width, options in zip(widths, zip(sa_channels, num_centroids, radii, max_neighbours))
        )
        self.global_mlp = row_mlp(widths[-1] + 3, global_channels)

    def forward(self, clouds: Sequence[Tensor]) -> CloudFeatures:
        """Features of clouds.

        Args:
            clouds: (N_i, 3 + in_channels) of each sample, floating: xyz in the unit of the radii, and further columns.

        Returns:
            The clouds' features, those of the last abstraction's centroids as tokens, and no losses.

        Raises:
            ValueError: There is no cloud, a cloud's width does not fit ``in_channels``, or a coordinate is not finite.
        """
        rows, sizes = join_clouds(clouds, 3 + self.in_channels)
        features = rows[:, 3:] if self.in_channels else None
        centres = list(rows[:, :3].contiguous().split(sizes))
        for abstraction in self.abstractions:
            centres, features = abstraction(centres, features)
        sizes = [len(cloud) for cloud in centres]
        features = self.global_mlp(torch.cat([features, torch.cat(centres)], 1))
        return CloudFeatures(max_of_clouds(features, sizes), list(features.split(sizes)), {})
