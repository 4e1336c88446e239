"""Does an embedding find its partner? Ranks by cosine similarity, and recall at k."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Cosines that differ by less are equal: rounding must not decide who comes first.
_TIE = 1e-9


@torch.no_grad()
def retrieval_ranks(
    queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor, chunk: int = 1024
) -> Tensor:
    """How many wrong entries of the gallery stand before the first right one, the most similar entry coming first.

    A wrong entry as similar as the right one stands before it: an embedding that is the same for all finds nothing.

    Args:
        queries: (Q, D) floating, of any length but not NaN.
        gallery: (G, D), on the same device.
        query_labels: (Q,) integers: what each query looks for.
        gallery_labels: (G,) integers: what each entry is; several may be right.
        chunk: Queries compared at once, a matrix (chunk, G) of float64.

    Returns:
        (Q,) int64, 0 where the first entry is right.

    Raises:
        ValueError: Shapes do not fit, a number is NaN or infinite, or the gallery has nothing right for a query.
    """
    for name, rows, labels in (('queries', queries, query_labels), ('gallery', gallery, gallery_labels)):
        if rows.dim() != 2 or rows.shape[1] != gallery.shape[-1] or labels.shape != rows.shape[:1]:
            raise ValueError(f'{name} must be embeddings (rows, {gallery.shape[-1]}) with a label each, got '
                             f'{tuple(rows.shape)} with {tuple(labels.shape)}')
        if not bool(rows.isfinite().all()):
            raise ValueError(f'{name} holds NaN or infinite embeddings')
    missing = ~torch.isin(query_labels, gallery_labels)
    if bool(missing.any()):
        raise ValueError(f'{int(missing.sum())} of {len(queries)} queries have no partner in the gallery, the first is '
                         f'in row {int(missing.nonzero()[0])}')
    entries, ranks = normalize(gallery.double(), dim=1), []
    for rows, labels in zip(queries.split(chunk), query_labels.split(chunk)):
        similarity = normalize(rows.double(), dim=1) @ entries.T
        right = labels[:, None] == gallery_labels
        best = similarity.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
        ranks.append(((similarity >= best - _TIE) & ~right).sum(dim=1))
    return torch.cat(ranks) if ranks else torch.zeros(0, dtype=torch.long)


def recall_at(ranks: Tensor, k: int) -> float:
    """Share of queries whose partner is among the first ``k``.

    Args:
        ranks: (Q,) of :func:`retrieval_ranks`, Q > 0.
        k: From 1.

    Returns:
        In 0..1.
    """
    return float((ranks < k).double().mean())
