"""Which seen points lie in which 2D boxes."""

from __future__ import annotations

from typing import List, Tuple

import torch
from torch import Tensor

from mmfusion_plugin.ops.scatter import scatter_max, scatter_mean
from mmfusion_plugin.structures import Boxes2D

FAR = 1e9  # metres; boxes of unknown depth come last


def pairs_in_boxes(pixels: Tensor, image: Tensor, boxes: Boxes2D) -> Tuple[Tensor, Tensor]:
    """All pairs of a seen point and a box of its image that holds it (its instance mask, where boxes have masks).

    Args:
        pixels: (M, 2) ``[u, v]``.
        image: (M,) int64 image of each point.
        boxes: K boxes whose ``view`` is their image.

    Returns:
        (P,) int64 points in ascending order, and (P,) int64 boxes.
    """
    points: List[Tensor] = [image.new_zeros(0)]
    held_by: List[Tensor] = [image.new_zeros(0)]
    for one in boxes.view.unique().tolist():
        here, there = (image == one).nonzero()[:, 0], (boxes.view == one).nonzero()[:, 0]
        point, box = here.repeat_interleave(len(there)), there.repeat(len(here))
        held = boxes.contains(box, pixels[point])
        points.append(point[held])
        held_by.append(box[held])
    point, box = torch.cat(points), torch.cat(held_by)
    order = point.sort(stable=True).indices
    return point[order], box[order]


def merge_overlapping(similarity: Tensor, member: Tensor, depth: Tensor, size: int, how: str) -> Tensor:
    """One similarity per point where boxes overlap.

    Args:
        similarity: (P,) of each pair.
        member: (P,) int64 point of each pair, within [0, size).
        depth: (P,) distance of each pair's box in metres; 0 or less, infinite or NaN is unknown and comes last.
        size: Number of points, each with at least one pair.
        how: ``'max'``, ``'mean'``, or ``'nearest'``: the box of least depth, as it hides the others.

    Returns:
        (size,) similarities.
    """
    if how == 'mean':
        return scatter_mean(similarity, member, size)
    if how == 'max':
        return scatter_max(similarity, member, size)[0]
    known = depth.isfinite() & (depth > 0)
    _, nearest = scatter_max(-torch.where(known, depth, torch.full_like(depth, FAR)), member, size)
    return similarity.index_select(0, nearest)
