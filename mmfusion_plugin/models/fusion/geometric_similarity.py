"""How alike two point sets are around each point: SAFNet's geometric similarity module (arXiv 2107.01579, III-B-1)."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.learned_scalar import LearnedScalar

from .neighbourhoods import Neighbourhoods

# Pairs of neighbours that are compared at once: 16 MiB of float32 per matrix.
PAIRS_AT_ONCE = 1 << 22
# A shift of 0, the published start, is no positive number; from here softplus still learns.
SMALLEST_SHIFT = 0.02


class DistanceToSimilarity(nn.Module):
    """``weight * (exp(-distance / alpha) + beta)`` with three learned numbers, the first factor of equations 3 to 5.

    Args:
        weight: Start of the weight (alpha_3 or alpha_4).
        alpha: Start of the scale; it stays positive.
        beta: Start of the shift.
        positive: Keep weight and shift positive, too.
    """

    def __init__(self, weight: float, alpha: float, beta: float, positive: bool) -> None:
        super().__init__()
        self.alpha = LearnedScalar(alpha, positive=True)
        self.beta = LearnedScalar(max(beta, SMALLEST_SHIFT) if positive else beta, positive)
        self.weight = LearnedScalar(weight, positive)

    def forward(self, distance: Tensor) -> Tensor:
        """Distances (N,) to similarities (N,)."""
        return self.weight() * (torch.exp(-distance / self.alpha()) + self.beta())


@MODELS.register_module()
class GeometricSimilarity(BaseModule):
    """A similarity per point from the distances between its neighbourhoods in two point sets P and Q.

    Forward search: from each neighbour of p_i in P to the nearest point of Q; it finds what Q lacks. Backward search:
    from each neighbour in Q to the nearest neighbour in P; it finds what Q has too much. The mean distance d of either
    becomes ``weight * (exp(-d / alpha) + beta)``, and the similarity is their sum plus a shift. It takes nothing but
    two point sets and knows nothing of what they are.

    Neighbourhoods are centred on their point first, so that a translation of both sets, or a scene far from the origin,
    changes nothing; matrices are built for a chunk of points at a time, and only the distances of the pairs that were
    found enter the graph.

    Args:
        search: ``'both'``, ``'forward'`` or ``'backward'``: the rows of the paper's ablation.
        distance: ``'squared'`` (published code) or ``'euclidean'`` (a reading of the paper, which says "distance").
        target: Where forward search looks: ``'neighbourhood'`` of p_i in Q (published code), or ``'all'`` of Q
            (paper), for which the nearest neighbour of each p_j must be its first one.
        radius: Neighbours beyond it (metres) are left out, save the nearest (paper, which gives no value). None: all
            K nearest count (published code, whose 10 m exclude nothing).
        positive: Keep all learned numbers positive, so that no similarity is negative. False: only those that divide,
            and the shifts start from 0 (published code, where they end on either side of 0).
        alpha: Start of both scales, in m^2 or m (published code: 0.25).
        forward_weight: Start of the weight of forward search (published code: 0.1).
        backward_weight: Start of the weight of backward search (published code: 1).
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        search: str = 'both',
        distance: str = 'squared',
        target: str = 'neighbourhood',
        radius: Optional[float] = None,
        positive: bool = True,
        alpha: float = 0.25,
        forward_weight: float = 0.1,
        backward_weight: float = 1.0,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        _check('search', search, ('both', 'forward', 'backward'))
        _check('distance', distance, ('squared', 'euclidean'))
        _check('target', target, ('neighbourhood', 'all'))
        self.distance, self.target, self.radius = distance, target, radius
        weights = {'forward': forward_weight, 'backward': backward_weight}
        self.searches = nn.ModuleDict(
            {
                f'{name}_search': DistanceToSimilarity(weight, alpha, 0.0, positive)
                for name, weight in weights.items()
                if search in (name, 'both')
            }
        )
        self.shift = LearnedScalar(SMALLEST_SHIFT if positive else 0.0, positive)

    def forward(self, pair: Neighbourhoods) -> Tensor:
        """(N,) similarities of the points; 0 for a point without neighbours in Q.

        Args:
            pair: Points of P with K > 0 neighbours ``own`` and L > 0 neighbours ``theirs``.

        Raises:
            ValueError: The neighbourhoods hold no neighbours in P or in Q.
        """
        if not pair.own.shape[1] or not pair.theirs.shape[1]:
            raise ValueError(
                f'need neighbours in both sets, got {pair.own.shape[1]} own and {pair.theirs.shape[1]} of the others: '
                'ask Neighbourhoods.of_batch for num_own and num_theirs'
            )
        total = self.shift().expand(len(pair.points))
        for module, distance in zip(self.searches.values(), self.mean_distances(pair)):
            total = total + module(distance)
        return total * pair.seen

    def mean_distances(self, pair: Neighbourhoods) -> Tuple[Tensor, ...]:
        """Mean distance (N,) of each search, forward before backward; 0 where a point has no neighbours.

        Args:
            pair: As for ``forward``.
        """
        pair = pair.within(self.radius)
        step = max(1, PAIRS_AT_ONCE // max(1, pair.own.shape[1] * pair.theirs.shape[1]))
        # At least one chunk, so that no points give empty tensors.
        starts = range(0, max(1, len(pair.points)), step)
        chunks = [self._mean_distances(pair, slice(start, start + step)) for start in starts]
        return tuple(torch.cat(parts) for parts in zip(*chunks))

    def _mean_distances(self, pair: Neighbourhoods, rows: slice) -> Tuple[Tensor, ...]:
        own, theirs = pair.around(rows)
        here, there = pair.own[rows] >= 0, pair.theirs[rows] >= 0
        to_theirs, to_own = _nearest_pairs(own, here, theirs, there)
        means = []
        if 'forward_search' in self.searches:
            if self.target == 'all':
                first = pair.theirs[pair.own[rows].clamp(min=0), 0]
                offset = _pick(pair.points, pair.own[rows]) - _pick(pair.others, first)
            else:
                offset = own - theirs.gather(1, to_theirs[..., None].expand(-1, -1, 3))
            means.append(self._mean(offset, here & there.any(1, keepdim=True)))
        if 'backward_search' in self.searches:
            means.append(self._mean(theirs - own.gather(1, to_own[..., None].expand(-1, -1, 3)), there))
        return tuple(means)

    def _mean(self, offset: Tensor, counts: Tensor) -> Tensor:
        """(n, K, 3) offsets to (n,) mean distances over the pairs that count."""
        distance = offset.square().sum(2)
        if self.distance == 'euclidean':
            apart = distance > 0  # the square root has no finite derivative at 0
            distance = torch.where(apart, torch.where(apart, distance, 1.0).sqrt(), 0.0)
        return distance.masked_fill(~counts, 0).sum(1) / counts.sum(1).clamp(min=1)


def _nearest_pairs(own: Tensor, here: Tensor, theirs: Tensor, there: Tensor) -> Tuple[Tensor, Tensor]:
    """For each of K own (n, K, 3) the nearest of L others (n, K), and for each other the nearest own (n, L).

    One matrix of squared distances serves both ways. It comes from a product, whose rounding the centred coordinates
    keep small; it only chooses, the distances themselves are computed from the differences.
    """
    with torch.no_grad(), torch.autocast(own.device.type, enabled=False):
        own = own.float() if own.element_size() < 4 else own
        theirs = theirs.to(own.dtype)
        one, other = torch.ones_like(own[..., :1]), torch.ones_like(theirs[..., :1])
        size = own.square().sum(2, keepdim=True).masked_fill(~here[..., None], torch.inf)
        other_size = theirs.square().sum(2, keepdim=True).masked_fill(~there[..., None], torch.inf)
        left, right = torch.cat([own, size, one], 2), torch.cat([-2 * theirs, other, other_size], 2)
        dist2 = torch.bmm(left, right.transpose(1, 2))
        return dist2.argmin(2), dist2.argmin(1)


def _pick(points: Tensor, index: Tensor) -> Tensor:
    """(*index.shape, 3) points; zeros for -1."""
    if not len(points):
        return points.new_zeros((*index.shape, 3))
    return points[index.clamp(min=0)].masked_fill((index < 0)[..., None], 0)


def _check(name: str, value: str, known: Tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f'{name} must be one of {known}, got {value!r}')
