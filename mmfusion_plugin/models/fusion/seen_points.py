"""The points of a batch that its images see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import torch
from torch import Tensor

from mmfusion_plugin.structures import PointPixelMatch


@dataclass(frozen=True)
class SeenPoints:
    """M pairs of a point and an image that shows it; a point that two images show makes two pairs.

    Attributes:
        point: (M,) int64 row among all points of the batch, samples after each other.
        image: (M,) int64 image among the ``B * V`` of the batch, sample by sample.
        pixels: (M, 2) float ``[u, v]`` in that image, pixel centres at integers.
        num_views: Images of each sample V.
    """

    point: Tensor
    image: Tensor
    pixels: Tensor
    num_views: int

    @classmethod
    def of_batch(cls, pixels: Sequence[Tensor]) -> SeenPoints:
        """Gather the pairs of a batch.

        Args:
            pixels: (N_i, V, 2) of each sample, -1 where a view does not see the point
                (:class:`~mmfusion_plugin.structures.PointPixelMatch`).
        """
        joined = torch.cat(list(pixels))
        point, view = PointPixelMatch(joined).visible.nonzero(as_tuple=True)
        sizes = torch.tensor([len(sample) for sample in pixels], device=joined.device)
        sample = torch.repeat_interleave(torch.arange(len(sizes), device=joined.device), sizes)
        num_views = joined.shape[1]
        return cls(point, sample[point] * num_views + view, joined[point, view], num_views)
