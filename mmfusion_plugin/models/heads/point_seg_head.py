"""Classifier of points on the concatenated scales of a point-voxel encoder."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Dict, Optional

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.backbones.spv_encoder import SPVFeatures


@MODELS.register_module()
class PointSegHead(BaseModule):
    """Linear-ReLU-Linear on the features of all scales, per point, with cross entropy and Lovasz-softmax.

    The first linear map of a concatenation is a sum of linear maps of its parts, each of which is constant within a
    voxel: it is evaluated per voxel, and each point sums the rows of its voxels.

    Args:
        in_channels: Width of one level.
        num_levels: Number of levels that are concatenated.
        channels: Hidden width; 128 in 2DPASS.
        num_classes: Number of classes predicted.
        ignore_index: Label of points that count in no loss.
        loss_ce: Config of the cross entropy.
        loss_lovasz: Config of the Lovasz-softmax loss; its ``loss_weight`` is 2DPASS's lambda_lovasz (1 for nuScenes).
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        in_channels: int = 256,
        num_levels: int = 6,
        channels: int = 128,
        num_classes: int = 16,
        ignore_index: int = 16,
        loss_ce: Optional[Dict[str, Any]] = None,
        loss_lovasz: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels, self.num_levels, self.num_classes = in_channels, num_levels, num_classes
        self.ignore_index = ignore_index
        self.classifier = nn.Sequential(
            nn.Linear(in_channels * num_levels, channels), nn.ReLU(inplace=True), nn.Linear(channels, num_classes)
        )
        common = dict(ignore_index=ignore_index)
        self.loss_ce = MODELS.build({'type': 'PointCrossEntropyLoss', **common, **(loss_ce or {})})
        self.loss_lovasz = MODELS.build({'type': 'LovaszSoftmaxLoss', **common, **(loss_lovasz or {})})

    def forward(self, features: SPVFeatures) -> Tensor:
        """(N, num_classes) logits of all points of the batch."""
        if len(features.levels) != self.num_levels:
            raise ValueError(f'PointSegHead(num_levels={self.num_levels}) was given {len(features.levels)} levels')
        first, activation, second = self.classifier
        parts = first.weight.split(self.in_channels, 1)
        begins = [0, *accumulate(len(level.fused_features) for level in features.levels)]
        rows = torch.stack([level.fused_inverse + begin for level, begin in zip(features.levels, begins)], 1)
        table = torch.cat([
            nn.functional.linear(level.fused_features, part) for level, part in zip(features.levels, parts)
        ])  # fmt: skip
        wide = table.float() if table.dtype in (torch.float16, torch.bfloat16) else table
        hidden = nn.functional.embedding_bag(rows, wide, mode='sum').to(table.dtype) + first.bias
        return second(activation(hidden))

    def loss(self, logits: Tensor, labels: Tensor) -> Dict[str, Tensor]:
        """Losses of (N, num_classes) logits against (N,) int64 labels, zero with a graph where no label counts."""
        return {'loss_ce': self.loss_ce(logits, labels), 'loss_lovasz': self.loss_lovasz(logits, labels)}
