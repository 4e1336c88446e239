"""Embeddings of the classes of points and boxes, and how alike they are (2DDATA, arXiv 2309.11755)."""

from __future__ import annotations

from typing import Sequence, Tuple

import torch
from torch import Tensor, nn

# Fine category of nuScenes (0..31) and class (0..15) of 2DDATA's classes of interest: adult, child, bicycle, car,
# truck, motorcycle. Adult and child share the class pedestrian; only the boxes tell them apart.
NUSCENES_INTEREST = ((2, 6), (3, 6), (14, 1), (17, 3), (23, 9), (21, 5))

EPS = 1e-8  # torch's own for cosine_similarity; the paper names none


class ClassEmbedding(nn.Module):
    """Embedding vectors that points and boxes are compared by.

    Args:
        num_classes: Classes of points and of ``Boxes2D.label``.
        channels: Length D of a vector.
        interest: Pairs of a box category and the class of its points: one vector each, and one more for points of any
            other class. Boxes of other categories have none. None: one vector per class, for points and boxes alike.
        point_class: How a point's vector follows from its class scores: ``'soft'`` mixes the vectors by probability,
            ``'argmax'`` takes that of the likeliest class, ``'learned'`` is a linear map of the point's features
            instead. Scores get no gradient from here: they are to be right, not to be alike.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int,
        interest: Sequence[Tuple[int, int]] | None = NUSCENES_INTEREST,
        point_class: str = 'soft',
    ) -> None:
        super().__init__()
        if point_class not in ('soft', 'argmax', 'learned'):
            raise ValueError(f"point_class must be 'soft', 'argmax' or 'learned', got {point_class!r}")
        self.point_class, self.num_classes, self.by_category = point_class, num_classes, interest is not None
        pairs = [(label, label) for label in range(num_classes)] if interest is None else list(interest)
        if any(not 0 <= label < num_classes for _, label in pairs):
            raise ValueError(f'interest {pairs} names a class that is not among the {num_classes} classes of points')
        self.keys = tuple(key for key, _ in pairs)
        # Share of each vector in a class: equal among the vectors of a class, all on the last vector where it has none.
        share = torch.zeros(num_classes, len(pairs) + self.by_category)
        for row, (_, label) in enumerate(pairs):
            share[label, row] = 1
        share[share.sum(1) == 0, -1] = 1
        self.register_buffer('share', share / share.sum(1, keepdim=True), persistent=False)
        self.table = nn.Embedding(share.shape[1], channels)
        self.project = nn.Linear(channels, channels) if point_class == 'learned' else None

    def box_rows(self, category: Tensor, label: Tensor) -> Tensor:
        """(K,) int64 vector of each box by its (K,) category or label; -1 where it has none."""
        asked = category if self.by_category else label
        keys = torch.tensor(self.keys, dtype=asked.dtype, device=asked.device)
        same = asked[:, None] == keys
        rows = same.to(torch.int64).argmax(1) if len(keys) else asked
        return torch.where(same.any(1), rows, -1)

    def of_points(self, scores: Tensor, features: Tensor) -> Tensor:
        """(M, D) vectors of points with (M, num_classes) logits and (M, D) features."""
        if self.project is not None:
            return self.project(features)
        probabilities = scores.detach().softmax(1)
        if self.point_class == 'argmax':
            probabilities = nn.functional.one_hot(probabilities.argmax(1), self.num_classes).to(scores.dtype)
        return probabilities.to(self.share.dtype) @ self.share @ self.table.weight

    def similarity(self, points: Tensor, rows: Tensor) -> Tensor:
        """(P,) cosine of (P, D) vectors and the table's ``rows`` (P,): ``E . E_box / max(|E| |E_box|, eps)``."""
        boxes = self.table(rows)
        lengths = points.norm(dim=1) * boxes.norm(dim=1)
        return (points * boxes).sum(1) / lengths.clamp(min=EPS)
