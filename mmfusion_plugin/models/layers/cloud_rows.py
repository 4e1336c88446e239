"""The clouds of a batch as the rows of one matrix, and back to one row per cloud."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
from torch import Tensor


def join_clouds(clouds: Sequence[Tensor], width: int) -> Tuple[Tensor, List[int]]:
    """Put clouds of any sizes after each other.

    Args:
        clouds: (N_i, width) of each sample, or one (B, N, width); a cloud may be empty.
        width: Columns of a point.

    Returns:
        (sum of N_i, width), and the N_i.

    Raises:
        ValueError: There is no cloud, or one has another width.
    """
    shapes = [tuple(cloud.shape) for cloud in clouds]
    if not shapes or any(len(shape) != 2 or shape[1] != width for shape in shapes):
        raise ValueError(
            f'need clouds of shape (N, {width}), got {shapes[:4]}: the backbone wants xyz and in_channels='
            f'{width - 3} further columns; change in_channels, or what the pipeline puts into the points'
        )
    return torch.cat(list(clouds)), [shape[0] for shape in shapes]


def max_of_clouds(rows: Tensor, sizes: Sequence[int]) -> Tensor:
    """Largest value of each channel in each cloud.

    Args:
        rows: (N, C) of all clouds after each other.
        sizes: Rows of each of the B clouds.

    Returns:
        (B, C); zeros, with a graph, for a cloud without rows.
    """
    return torch.stack([part.amax(0) if len(part) else part.sum(0) for part in rows.split(list(sizes))])
