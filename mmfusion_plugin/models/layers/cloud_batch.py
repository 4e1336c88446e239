"""Searches on the clouds of a batch, of equal size or not, whose features are kept as the rows of one matrix."""

from __future__ import annotations

from typing import Callable, List, Sequence

import torch
from torch import Tensor


def search_clouds(search: Callable[..., Tensor], *sets: Sequence[Tensor]) -> List[Tensor]:
    """Call ``search`` on the clouds of each sample: all at once where their sizes agree, else one by one.

    Args:
        search: Takes as many (B, N, 3) as there are ``sets``, returns a tensor with leading axis B.
        sets: For each argument the (N_i, 3) clouds of the samples.

    Returns:
        The result for each sample, without the batch axis.
    """
    if all(len({len(cloud) for cloud in clouds}) == 1 for clouds in sets):
        return list(search(*(torch.stack(list(clouds)) for clouds in sets)))
    return [search(*(cloud[None] for cloud in clouds))[0] for clouds in zip(*sets)]


def join_rows(index: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Rows of single clouds to rows of all clouds after each other.

    Args:
        index: For each sample (M_i, ...) int64 rows of its cloud; -1 stays -1.
        sizes: Number of points in each cloud that is pointed into.

    Returns:
        (sum of M_i, ...) int64.
    """
    starts = [sum(sizes[:sample]) for sample in range(len(sizes))]
    return torch.cat([torch.where(rows < 0, rows, rows + start) for rows, start in zip(index, starts)])
