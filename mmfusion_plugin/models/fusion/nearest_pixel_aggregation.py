"""Pixel features at points, from the nearest unprojected pixels (MVPNet, Jaritz et al., arXiv 1909.13603)."""

from __future__ import annotations

from typing import Optional, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from mmfusion_plugin.models.layers.row_mlp import row_mlp
from mmfusion_plugin.ops.scatter import scatter_sum

from .neighbourhoods import Neighbourhoods


@MODELS.register_module()
class NearestPixelAggregation(BaseModule):
    """Sum of a shared MLP on ``[feature of q, q - p, |q - p|^2]`` over the nearest q of each point p.

    No weights by distance: the published code of MVPNet and SAFNet has none (12,928 parameters at the defaults). It
    works on any features at positions, pixels or not.

    Args:
        in_channels: Width of the features of Q.
        channels: Widths of the MLP's layers.
        num_neighbours: Neighbours in Q that are summed.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the result.
    """

    def __init__(
        self,
        in_channels: int = 64,
        channels: Sequence[int] = (64, 64, 64),
        num_neighbours: int = 3,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_neighbours, self.out_channels = num_neighbours, channels[-1]
        self.mlp = row_mlp(in_channels + 4, channels)

    def forward(self, pair: Neighbourhoods, features: Tensor) -> Tensor:
        """Features of the points.

        Args:
            pair: N points and M others, with at least ``num_neighbours`` neighbours ``theirs``.
            features: (M, in_channels) of the others.

        Returns:
            (N, out_channels); missing neighbours count for nothing, so a point without any gets zeros.

        Raises:
            ValueError: There are fewer neighbours than asked for.
        """
        if pair.theirs.shape[1] < self.num_neighbours:
            raise ValueError(f'need {self.num_neighbours} neighbours, the neighbourhoods hold {pair.theirs.shape[1]}')
        near = pair.theirs[:, :self.num_neighbours]
        point, slot = (near >= 0).nonzero(as_tuple=True)
        other = near[point, slot]
        offset = (pair.others[other] - pair.points[point]).to(features.dtype)
        distance = offset.square().sum(1, keepdim=True)
        rows = self.mlp(torch.cat([features.index_select(0, other), offset, distance], 1))
        return scatter_sum(rows, point, len(near)).to(rows.dtype)
