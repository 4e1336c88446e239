"""What overlapping chunks of a scene say of its points, made one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmfusion_plugin.ops.neighbours import knn

VOTES = ('mean', 'majority')


class ChunkVotes:
    """Sums what chunks say of the points of a scene.

    Args:
        points: (N, 3 + C), N > 0.
        num_classes: Of the logits.
        vote: ``'mean'`` of the logits of all chunks that hold a point (published code of MVPNet and SAFNet), or
            ``'majority'`` of their classes (paper); the result is then the share of the votes of each class, and of
            classes with equally many ``argmax`` takes the lowest.
    """

    def __init__(self, points: Tensor, num_classes: int, vote: str) -> None:
        self.xyz, self.vote = points[:, :3].contiguous(), vote
        self.total = torch.zeros((len(points), num_classes), device=points.device)
        self.chunks = torch.zeros((len(points), 1), device=points.device)

    def add(self, rows: Tensor, logits: Tensor) -> None:
        """Logits (n, num_classes) of the points ``rows`` (n,), none of them twice."""
        if self.vote == 'majority':
            logits = F.one_hot(logits.argmax(1), logits.shape[1])
        self.total = self.total.to(torch.promote_types(self.total.dtype, logits.dtype))
        self.total[rows] += logits.to(self.total.dtype)
        self.chunks[rows] += 1

    def result(self) -> Tensor:
        """(N, num_classes) means; of a point without a vote, those of the nearest one with."""
        mean, seen = self.total / self.chunks, self.chunks[:, 0] > 0
        if not seen.all():
            nearest = knn(self.xyz[~seen], self.xyz[seen], 1)[1][:, 0]
            mean[~seen] = mean[seen][nearest]
        return mean
