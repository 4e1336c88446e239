"""Rows of all processes, in one tensor that gradients flow back through."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


def gathered_rows(rows: Tensor) -> Tensor:
    """Join the rows of all processes, in the order of their ranks.

    The gradient of a row is the sum of those that the processes have for it. If all of them compute the same loss of
    what is joined, it is therefore as many times too large as there are processes, and right once DDP has averaged.

    Args:
        rows: (N_r, ...) of this process; N_r may differ between processes and be 0, the rest may not.

    Returns:
        (sum of N_r, ...); the rows themselves in a single process.
    """
    if get_world_size() == 1:
        return rows
    from torch.distributed.nn.functional import all_gather as all_gather_with_gradient  # not in every build of torch

    counts = [int(count) for count in all_gather(torch.tensor([len(rows)], device=rows.device))]
    # A collective call needs equal shapes: fill up, and cut afterwards.
    filling = rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])
    parts = all_gather_with_gradient(torch.cat([rows, filling])) if max(counts) else [rows]
    return torch.cat([part[:count] for part, count in zip(parts, counts)])
