"""Search for neighbours in one cloud: k-d tree (scipy), dense (torch, either device) and mmcv's CUDA kernels.

Distances are compared in float64 and equal ones by index, so that all three give the same neighbours. Each function
takes contiguous, finite tensors without gradient; :mod:`mmfusion_plugin.ops.neighbours` is the public face.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

# Pairs of points that are compared at once; at 8 to 24 bytes each this bounds the memory.
PAIRS_AT_ONCE = 1 << 22
# Two float64 distances that differ by less (relatively) may be equal, the difference being rounding.
_TIE = 1e-12
# The same for the float32 arithmetic of mmcv's kernels.
_TIE_FLOAT32 = 1e-5
# mmcv's knn kernel keeps its heap in an array of 100 and asks for less.
_MMCV_MAX_K = 99


def nearest(query: Tensor, reference: Tensor, k: int, backend: str) -> tuple[Tensor, Tensor]:
    """The ``k`` (at most N) nearest rows of ``reference`` (N, D) for each row of ``query`` (M, D).

    Returns:
        Squared distances, float64, ascending, and indices, int64, both (M, k); of equal distances the lowest index.
    """
    if backend == 'scipy':
        dist2, index = _nearest_tree(_float64(query), _float64(reference), k)
        return torch.from_numpy(dist2), torch.from_numpy(index)
    if backend == 'mmcv' and query.shape[0] and query.shape[1] == 3 and k + 1 <= min(_MMCV_MAX_K, reference.shape[0]):
        return _nearest_mmcv(query, reference, k)
    return _nearest_dense(query, reference, k)


def within(query: Tensor, reference: Tensor, radius: float, k: int, min_radius: float, backend: str) -> Tensor:
    """The first ``k`` rows of ``reference`` by index with min_radius^2 <= d^2 < radius^2, for each row of ``query``.

    Returns:
        Indices (M, k), int64, ascending; -1 where there are fewer.
    """
    if backend == 'scipy':
        return torch.from_numpy(_TreeBalls(_float64(query), _float64(reference), radius, k, min_radius).search())
    if backend == 'mmcv' and query.shape[0] and reference.shape[0] and min_radius == 0:
        return _within_mmcv(query, reference, radius, k)
    return _within_dense(query, reference, radius, k, min_radius)


def _float64(points: Tensor) -> np.ndarray:
    return points.double().numpy()


def _nearest_tree(query: np.ndarray, reference: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`nearest` by a k-d tree, which by itself breaks ties as its nodes happen to lie."""
    tree = cKDTree(reference, balanced_tree=False)  # built in two thirds of the time, searched as fast
    # One neighbour more than asked for shows whether the last one has an equal that was left out.
    wanted = min(k + 1, len(reference))
    distance, index = tree.query(query, k=wanted if wanted > 1 else [1], workers=torch.get_num_threads())
    ties = distance[:, 1:] * (1 - _TIE) <= distance[:, :-1]
    dist2, index = distance[:, :k] ** 2, index.astype(np.int64, copy=False)
    rows = np.unique(np.flatnonzero(ties) // max(1, wanted - 1))
    candidates, index = index[rows], index[:, :k].copy()
    while rows.size:
        exact = ((query[rows, None] - reference[candidates]) ** 2).sum(axis=2)
        order = np.lexsort((candidates, exact), axis=1)
        exact, candidates = np.take_along_axis(exact, order, 1), np.take_along_axis(candidates, order, 1)
        settled = exact[:, -1] > exact[:, k - 1] * (1 + _TIE)
        settled |= wanted == len(reference)
        dist2[rows[settled]], index[rows[settled]] = exact[settled, :k], candidates[settled, :k]
        rows, wanted = rows[~settled], min(2 * wanted, len(reference))
        if rows.size * wanted > PAIRS_AT_ONCE:  # many points at one place: too many equals to hold for all rows
            chunk = max(1, PAIRS_AT_ONCE // len(reference))
            for part in np.split(rows, range(chunk, rows.size, chunk)):
                found = _nearest_dense(torch.from_numpy(query[part]), torch.from_numpy(reference), k)
                dist2[part], index[part] = (result.numpy() for result in found)
            break
        _, candidates = tree.query(query[rows], k=wanted, workers=torch.get_num_threads())
    return dist2, index


def _nearest_dense(query: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """:func:`nearest` by comparing all pairs, a chunk of queries at a time."""
    results = []
    for rows in query.split(max(1, PAIRS_AT_ONCE // max(1, reference.shape[0]))):
        exact = _pair_dist2(rows, reference)
        last = exact.topk(k, dim=1, largest=False).values[:, -1:]
        equal = exact == last
        closer = exact < last
        # Of the points as far as the k-th, the first by index fill up what the closer ones leave.
        left = k - closer.sum(dim=1, keepdim=True)
        chosen = closer | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= left))
        index = chosen.nonzero()[:, 1].view(-1, k)
        dist2, order = exact.gather(1, index).sort(dim=1, stable=True)
        results.append((dist2, index.gather(1, order)))
    dist2, index = zip(*results)
    return torch.cat(dist2), torch.cat(index)


def _nearest_mmcv(query: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """:func:`nearest` by mmcv's kernel; where float32 cannot tell the k-th neighbour from the next, densely."""
    from mmcv.ops import knn as mmcv_knn

    found = mmcv_knn(k + 1, reference.float()[None].contiguous(), query.float()[None].contiguous())
    index = found[0].t().long().sort(dim=1).values
    offset = reference.double()[index] - query.double()[:, None]
    dist2, order = _sum_of_squares(offset.unbind(2)).sort(dim=1, stable=True)
    index = index.gather(1, order)
    unsure = (dist2[:, k] <= dist2[:, k - 1] * (1 + _TIE_FLOAT32)).nonzero()[:, 0]
    dist2, index = dist2[:, :k].contiguous(), index[:, :k].contiguous()
    if unsure.numel():
        dist2[unsure], index[unsure] = _nearest_dense(query[unsure], reference, k)
    return dist2, index


def _within_dense(query: Tensor, reference: Tensor, radius: float, k: int, min_radius: float) -> Tensor:
    """:func:`within` by comparing all pairs, a chunk of queries at a time."""
    index = torch.full((query.shape[0], k), -1, dtype=torch.long, device=query.device)
    step = max(1, PAIRS_AT_ONCE // max(1, reference.shape[0]))
    for start in range(0, query.shape[0], step):
        dist2 = _pair_dist2(query[start : start + step], reference)
        inside = (dist2 >= min_radius**2) & (dist2 < radius**2)
        rank = inside.cumsum(dim=1, dtype=torch.int32)
        row, column = (inside & (rank <= k)).nonzero(as_tuple=True)
        index[start + row, rank[row, column].long() - 1] = column
    return index


def _within_mmcv(query: Tensor, reference: Tensor, radius: float, k: int) -> Tensor:
    """:func:`within` by mmcv's kernel, which compares in float32, pads with the first hit and calls an empty ball 0."""
    from mmcv.ops import ball_query as mmcv_ball_query

    found = mmcv_ball_query(0.0, radius, k, reference.float()[None].contiguous(), query.float()[None].contiguous())
    index = found[0].long()
    first = _sum_of_squares((reference.double()[index[:, 0]] - query.double()).unbind(1))
    index[first >= radius**2 * (1 + _TIE_FLOAT32)] = -1
    padding = torch.zeros_like(index, dtype=torch.bool)
    padding[:, 1:] = index[:, 1:] <= index[:, :-1]  # hits ascend; padding falls back to the first
    return index.masked_fill(padding.cummax(dim=1).values, -1)


class _TreeBalls:
    """:func:`within` by k-d trees.

    A ball can hold thousands of points of which only the first ``k`` by index count. The references are therefore
    searched a range of indices at a time, as long as there are balls that want more, each range halved until its pairs
    fit into ``PAIRS_AT_ONCE``.
    """

    def __init__(self, query: np.ndarray, reference: np.ndarray, radius: float, k: int, min_radius: float) -> None:
        self.query, self.reference, self.k = query, reference, k
        self.radius, self.min_radius = radius, min_radius
        self.index = np.full((len(query), k), -1, dtype=np.int64)
        self.found = np.zeros(len(query), dtype=np.int64)

    def search(self) -> np.ndarray:
        """Indices (M, k), ascending, -1 where there are fewer."""
        if len(self.query) and len(self.reference):
            rows = np.arange(len(self.query))
            self._search_range(rows, cKDTree(self.query), 0, len(self.reference))
        return self.index

    def _search_range(self, rows: np.ndarray, tree: cKDTree, low: int, high: int) -> None:
        """Add the references in [low, high) to the balls of ``rows``, which ``tree`` holds."""
        references = cKDTree(self.reference[low:high])
        reach = self.radius * (1 + _TIE)  # the tree compares d <= r; what is too far is sorted out below
        if high - low > 1 and len(rows) * (high - low) > PAIRS_AT_ONCE:
            if tree.count_neighbors(references, reach) > PAIRS_AT_ONCE:
                middle = (low + high) // 2
                self._search_range(rows, tree, low, middle)
                wanting = rows[self.found[rows] < self.k]
                if len(wanting):
                    tree = tree if len(wanting) == len(rows) else cKDTree(self.query[wanting])
                    self._search_range(wanting, tree, middle, high)
                return
        pairs = tree.sparse_distance_matrix(references, reach, output_type='ndarray')
        self._add(rows[pairs['i']], low + pairs['j'])

    def _add(self, row: np.ndarray, column: np.ndarray) -> None:
        """Append to the balls those of the pairs (row, column) that lie within, in order of the column."""
        dist2 = ((self.query[row] - self.reference[column]) ** 2).sum(axis=1)
        inside = (dist2 >= self.min_radius**2) & (dist2 < self.radius**2)
        key = np.sort(row[inside] * len(self.reference) + column[inside])
        row, column = np.divmod(key, len(self.reference))
        start = np.flatnonzero(np.diff(row, prepend=-1))
        count = np.diff(start, append=len(row))
        slot = np.arange(len(row)) - np.repeat(start, count) + self.found[row]
        fits = slot < self.k
        self.index[row[fits], slot[fits]] = column[fits]
        self.found[row[start]] += count


def _pair_dist2(query: Tensor, reference: Tensor) -> Tensor:
    """Squared distances of all pairs, (M, N) float64, without the cancellation of |a|^2 - 2ab + |b|^2."""
    return _sum_of_squares(
        [q[:, None] - r[None] for q, r in zip(query.double().unbind(1), reference.double().unbind(1))]
    )


def _sum_of_squares(axes: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """Sum of squares in the order of the axes, the same on every device."""
    total = axes[0] ** 2
    for axis in axes[1:]:
        total = total + axis**2
    return total
