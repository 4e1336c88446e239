"""Means from one set of rows to another (points to voxels, voxels to coarser voxels) as one sparse product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class RowTransfer:
    """``out[t]`` = weighted sum over the pairs (s, t) of ``rows[s]``; both groupings are kept, one per direction.

    A mean over points of a feature that is constant within source voxels needs only the distinct (source voxel, target
    voxel) pairs, weighted by the points they share: the same sum with fewer rows.

    Attributes:
        forward_index: (P,) source of each pair, grouped by target.
        forward_start: (T + 1,) begin of each target's group.
        forward_weight: (P,) float64 weight.
        backward_index: (P,) target of each pair, grouped by source.
        backward_start: (S + 1,) begin of each source's group.
        backward_weight: (P,) float64 weight.
    """

    forward_index: Tensor
    forward_start: Tensor
    forward_weight: Tensor
    backward_index: Tensor
    backward_start: Tensor
    backward_weight: Tensor

    @classmethod
    def mean(cls, source: Tensor, target: Tensor, num_source: int, num_target: int) -> RowTransfer:
        """Mean over items (points) that each lie in one source row and in one target row.

        Args:
            source: (N,) int64 source row of each item.
            target: (N,) int64 target row of each item.
            num_source: S.
            num_target: T; a target without items becomes zero.

        Returns:
            Transfer equal to ``scatter_mean(rows[source], target, num_target)``.
        """
        pairs, items = torch.unique(source * max(num_target, 1) + target, return_counts=True)
        source = torch.div(pairs, max(num_target, 1), rounding_mode='floor')
        target = pairs - source * num_target
        weight = items.double() / torch.bincount(target, weights=items.double(), minlength=num_target)[target]
        order = torch.sort(target, stable=True).indices
        return cls(
            source[order], _starts(target, num_target), weight[order], target, _starts(source, num_source), weight
        )

    def __call__(self, rows: Tensor) -> Tensor:
        """(S, C) rows to (T, C) means, in the rows' dtype, summed in float32 or better."""
        return _WeightedSum.apply(rows, self)


class _WeightedSum(torch.autograd.Function):
    """The sparse product and its transpose, each by rows of its own grouping (no atomics, fixed order)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, transfer: RowTransfer) -> Tensor:
        ctx.transfer = transfer
        return _sum(rows, transfer.forward_index, transfer.forward_start, transfer.forward_weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, None]:
        transfer = ctx.transfer
        return _sum(grad, transfer.backward_index, transfer.backward_start, transfer.backward_weight), None


def _sum(rows: Tensor, index: Tensor, start: Tensor, weight: Tensor) -> Tensor:
    if index.shape[0] == 0 or rows.shape[0] == 0:
        return rows.new_zeros((start.shape[0] - 1, rows.shape[1]))
    wide = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
    summed = F.embedding_bag(
        index, wide, start, mode='sum', include_last_offset=True, per_sample_weights=weight.to(wide.dtype)
    )
    return summed.to(rows.dtype)


def _starts(index: Tensor, size: int) -> Tensor:
    """Begin of each row's group, with the end appended."""
    start = index.new_zeros(size + 1)
    torch.cumsum(torch.bincount(index, minlength=size), 0, out=start[1:])
    return start
