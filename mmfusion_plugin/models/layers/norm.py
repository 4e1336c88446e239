"""Normalisation over rows (points or voxels) that survives nearly empty batches."""

from __future__ import annotations

from typing import Any, Dict, Optional

from mmdet3d.registry import MODELS
from torch import Tensor, nn

NormCfg = Optional[Dict[str, Any]]


@MODELS.register_module()
class RowBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation of (N, C) that is defined for every N.

    Fewer than two rows have no variance. They are normalised with the running statistics, which they leave unchanged;
    scale and shift still take part, so that each parameter has a gradient whatever the batch holds.

    ``sync_bn='torch'`` replaces it by ``torch.nn.SyncBatchNorm``, which does not need it: each process is normalised
    with the statistics of the rows of all processes. (Two rows over all of them are the least.)
    mmcv's SyncBatchNorm gives each process the same weight, however few rows it has: prefer torch's.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C) rows."""
        if self.training and input.shape[0] < 2:
            scale = (self.running_var + self.eps).rsqrt()
            out = (input.float() - self.running_mean) * scale * self.weight + self.bias
            return out.to(input.dtype)
        return super().forward(input)


def build_norm(cfg: NormCfg, channels: int) -> nn.Module:
    """Build a normalisation of (N, channels) rows; None is ``RowBatchNorm1d``.

    Args:
        cfg: Registry config such as ``dict(type='RowBatchNorm1d', momentum=0.1)`` or ``dict(type='SyncBN')``.
        channels: Row width.
    """
    return MODELS.build(dict(cfg or {'type': 'RowBatchNorm1d'}, num_features=channels))
