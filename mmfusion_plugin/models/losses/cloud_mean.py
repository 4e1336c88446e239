"""What all losses between predicted and true clouds share: who counts, and in which precision."""

from __future__ import annotations

from typing import Callable, List, Sequence

import torch
from torch import Tensor

Distance = Callable[[Tensor, List[Tensor]], Tensor]


def mean_over_clouds(distance: Distance, prediction: Tensor, targets: Sequence[Tensor]) -> Tensor:
    """Mean over the samples of a batch of their distance to the truth.

    Args:
        distance: From predictions (B', N, 3) and as many clouds (M_i, 3), none of them empty, to (B',).
        prediction: (B, N, 3) floating.
        targets: B clouds (M_i, 3); samples whose cloud is empty do not count.

    Returns:
        Scalar, float32 or better, also under automatic mixed precision. Zero with a graph where no sample counts; NaN
        where a prediction is not finite, so that ``NanGuardHook`` can name the batch.

    Raises:
        ValueError: There are not as many targets as predictions.
    """
    if len(prediction) != len(targets):
        raise ValueError(f'{len(prediction)} predicted clouds for {len(targets)} true ones')
    with torch.autocast(prediction.device.type, enabled=False):
        wide = prediction.to(torch.promote_types(prediction.dtype, torch.float32))
        if not bool(wide.detach().isfinite().all()):
            return wide.sum() * torch.nan
        rows = [row for row, target in enumerate(targets) if len(target)]
        if not rows:
            return wide.sum() * 0
        return distance(wide[rows], [targets[row].to(wide) for row in rows]).mean()
