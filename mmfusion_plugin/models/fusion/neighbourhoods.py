"""The neighbours of points in their own set and in another one, the food of all that compares two point sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmfusion_plugin.models.layers.cloud_batch import join_rows, search_clouds
from mmfusion_plugin.ops.neighbours import knn


@dataclass(frozen=True)
class Neighbourhoods:
    """N points p_i of a set P with their neighbours in P and in a set Q, for all samples of a batch after each other.

    Q may be whatever lies in the frame of P: unprojected pixels, another sensor's points, a point cloud of yesterday.
    Neighbours are rows among all points of the batch, nearest first, -1 where there are fewer.

    Attributes:
        points: (N, 3) P, metres.
        others: (M, 3) Q, metres; samples without any are fine.
        own: (N, K) int64 neighbours in P, the point itself among them.
        theirs: (N, L) int64 neighbours in Q.
        sizes: Number of points of P of each sample.
    """

    points: Tensor
    others: Tensor
    own: Tensor
    theirs: Tensor
    sizes: Tuple[int, ...]

    @classmethod
    def of_batch(
        cls,
        points: Sequence[Tensor],
        others: Sequence[Tensor],
        num_own: int,
        num_theirs: int,
        own: Optional[Sequence[Tensor]] = None,
        theirs: Optional[Sequence[Tensor]] = None,
    ) -> Neighbourhoods:
        """Search the neighbours, or take those that were found before.

        Args:
            points: P of each sample, (N_i, 3).
            others: Q of each sample, (M_i, 3).
            num_own: K; 0 asks for none.
            num_theirs: L; 0 asks for none.
            own: For each sample (N_i, at least K) int64 rows of its P, nearest first, -1 where there are fewer.
            theirs: For each sample (N_i, at least L) int64 rows of its Q.

        Raises:
            ValueError: Samples differ in number, or neighbours do not fit them.
        """
        if not len(points) == len(others) > 0:
            raise ValueError(f'need both point sets of at least one sample, got {len(points)} and {len(others)}')
        sizes = tuple(len(cloud) for cloud in points)
        return cls(
            torch.cat(list(points)),
            torch.cat(list(others)),
            _rows('own', points, points, num_own, own),
            _rows('theirs', points, others, num_theirs, theirs),
            sizes,
        )

    @property
    def sample(self) -> Tensor:
        """(N,) int64 sample of each point."""
        sizes = torch.tensor(self.sizes, device=self.points.device)
        return torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)

    @property
    def seen(self) -> Tensor:
        """(N,) bool: the point has a neighbour in Q."""
        return (self.theirs >= 0).any(1)

    def around(self, rows: slice) -> Tuple[Tensor, Tensor]:
        """Neighbours relative to their point, ``p_j - p_i`` (n, K, 3) and ``q_j - p_i`` (n, L, 3); 0 for missing ones.

        Args:
            rows: Which points.
        """
        centre = self.points[rows, None]
        return _relative(self.points, self.own[rows], centre), _relative(self.others, self.theirs[rows], centre)

    def within(self, radius: Optional[float]) -> Neighbourhoods:
        """Without neighbours farther than ``radius`` metres; the nearest one stays in any case. None keeps all."""
        if radius is None:
            return self
        own, theirs = self.around(slice(None))
        return replace(self, own=_drop_far(self.own, own, radius), theirs=_drop_far(self.theirs, theirs, radius))


def _rows(
    name: str, points: Sequence[Tensor], sources: Sequence[Tensor], count: int, given: Optional[Sequence[Tensor]]
) -> Tensor:
    """(N, count) neighbours as rows of all sources."""
    if count == 0:
        return torch.empty((sum(map(len, points)), 0), dtype=torch.long, device=points[0].device)
    if given is None:
        given = search_clouds(lambda targets, cloud: knn(targets, cloud, count)[1], points, sources)
    shapes = [tuple(rows.shape) for rows in given]
    fits = len(given) == len(points) and all(len(rows) == len(cloud) for rows, cloud in zip(given, points))
    if not fits or any(len(shape) != 2 or shape[1] < count for shape in shapes):
        sizes = [len(cloud) for cloud in points]
        raise ValueError(f'{name} must hold {count} neighbours of each of {sizes} points, got shapes {shapes}')
    return join_rows([rows[:, :count] for rows in given], [len(cloud) for cloud in sources])


def _relative(points: Tensor, index: Tensor, centre: Tensor) -> Tensor:
    if not len(points) or not index.shape[1]:
        return centre.new_zeros((*index.shape, 3))
    offset = points.index_select(0, index.clamp(min=0).flatten()).view(*index.shape, 3) - centre
    return offset.masked_fill((index < 0)[..., None], 0)


def _drop_far(index: Tensor, offset: Tensor, radius: float) -> Tensor:
    far = offset.detach().square().sum(2) > radius**2
    far[:, :1] = False
    return index.masked_fill(far, -1)
