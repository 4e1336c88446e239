"""PointNet (Qi et al., CVPR 2017, arXiv 1612.00593) up to the feature of the cloud: SIM-Net's point branch."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from mmfusion_plugin.models.layers.cloud_rows import join_clouds, max_of_clouds
from mmfusion_plugin.models.layers.row_mlp import row_mlp
from mmfusion_plugin.models.layers.transform_net import TransformNet, orthogonality, transform_rows


class CloudFeatures(NamedTuple):
    """What a backbone on clouds hands over.

    Attributes:
        pooled: (B, C) feature of each cloud, the maximum of its tokens; zeros for an empty cloud.
        tokens: (M_i, C) features of the points of each cloud (``PointNet``) or of its centroids (``PointNet2Cls``).
        losses: Losses that belong to the backbone itself, by name; none in most.
    """

    pooled: Tensor
    tokens: List[Tensor]
    losses: Dict[str, Tensor]


@MODELS.register_module()
class PointNet(BaseModule):
    """A shared MLP on the points of a cloud, and their maximum, with a learned transform before and amid.

    Layers are linear maps without bias, batch normalisation and ReLU. SIM-Net's paper does not print its sizes: the
    defaults are the original's, with 2,806,793 parameters. Clouds may have any size, none or one point included, and
    a single cloud may be trained on.

    Args:
        in_channels: Columns of the points after xyz, such as 3 for their colour; 0: none.
        local_channels: Widths of the layers before the feature transform.
        global_channels: Widths of the layers after it; the last is the width of the result.
        input_transform: Transform xyz, and nothing else, by a T-Net that sees xyz alone.
        feature_transform: Transform the features of the points by a second T-Net.
        transform_channels: Widths of the T-Nets' layers on points.
        transform_hidden: Widths of the T-Nets' layers on clouds.
        orthogonality_weight: Weight of ``loss_orthogonality``, which keeps the feature transform near an orthogonal
            one (0.001 in the original); without that transform there is no such loss.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the result.
    """

    def __init__(
        self,
        in_channels: int = 0,
        local_channels: Sequence[int] = (64, 64),
        global_channels: Sequence[int] = (64, 128, 1024),
        input_transform: bool = True,
        feature_transform: bool = True,
        transform_channels: Sequence[int] = (64, 128, 1024),
        transform_hidden: Sequence[int] = (512, 256),
        orthogonality_weight: float = 0.001,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels, self.out_channels = in_channels, global_channels[-1]
        self.orthogonality_weight = orthogonality_weight
        widths = (transform_channels, transform_hidden)
        self.input_transform = TransformNet(3, *widths) if input_transform else None
        self.local_mlp = row_mlp(3 + in_channels, local_channels)
        self.feature_transform = TransformNet(local_channels[-1], *widths) if feature_transform else None
        self.global_mlp = row_mlp(local_channels[-1], global_channels)

    def forward(self, clouds: Sequence[Tensor]) -> CloudFeatures:
        """Features of clouds.

        Args:
            clouds: (N_i, 3 + in_channels) of each sample, floating: xyz in any unit, and further columns.

        Returns:
            The clouds' features, their points' as tokens, and ``loss_orthogonality`` if there is a feature transform.

        Raises:
            ValueError: There is no cloud, or a cloud's width does not fit ``in_channels``.
        """
        rows, sizes = join_clouds(clouds, 3 + self.in_channels)
        if self.input_transform is not None:
            xyz = rows[:, :3]
            moved = transform_rows(xyz, self.input_transform(xyz, sizes), sizes)
            rows = torch.cat([moved, rows[:, 3:]], 1)
        features, losses = self.local_mlp(rows), {}
        if self.feature_transform is not None:
            matrices = self.feature_transform(features, sizes)
            features = transform_rows(features, matrices, sizes)
            losses['loss_orthogonality'] = self.orthogonality_weight * orthogonality(matrices)
        features = self.global_mlp(features)
        return CloudFeatures(max_of_clouds(features, sizes), list(features.split(sizes)), losses)
