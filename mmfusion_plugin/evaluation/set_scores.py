"""Is a set of generated shapes distributed as the true ones? 1-NNA, COV and MMD, from distances between all shapes.

Each function returns one value per shape; the published score is their mean. PVD's metrics, by which CISP is evaluated,
have the same definitions.
"""

from __future__ import annotations

from typing import Dict

import torch
from torch import Tensor

from .pairwise_distances import pairwise_distances


def one_nna(within_samples: Tensor, between: Tensor, within_references: Tensor) -> Tensor:
    """1-NNA: does the nearest other shape, of samples and references together, come from the same set?

    Half of them where the sets cannot be told apart, all where they lie apart, and none where the samples are copies of
    the references. Where nearest ones from both sets are equally near, a shape counts as half.

    Args:
        within_samples: (N, N) distances between samples; the diagonal is not looked at.
        between: (N, N) of samples, by row, to references.
        within_references: (N, N) between references.

    Returns:
        (2, N) float64 of samples and of references: 0, 0.5 or 1.

    Raises:
        ValueError: The sets differ in size, have fewer than two shapes, or a distance is NaN.
    """
    parts = dict(within_samples=within_samples, between=between, within_references=within_references)
    size = len(between)
    if any(part.shape != (size, size) for part in parts.values()) or size < 2:
        raise ValueError('1-NNA needs as many samples as references, at least two, got distances '
                         f'{ {name: tuple(part.shape) for name, part in parts.items()} }')  # fmt: skip
    for name, part in parts.items():
        _check(part, name)
    itself = torch.eye(size, dtype=torch.bool, device=between.device)
    own = torch.stack([within_samples, within_references]).double().masked_fill(itself, torch.inf)
    other = torch.stack([between, between.T]).double()
    nearest, foreign = own.amin(dim=2), other.amin(dim=2)
    return (nearest < foreign).double() + (nearest == foreign).double() / 2


def coverage(between: Tensor) -> Tensor:
    """COV: which references are the nearest one of some sample; of equally near ones, the first is.

    Args:
        between: (S, R) distances of samples, by row, to references.

    Returns:
        (R,) float64, 0 or 1.

    Raises:
        ValueError: A set is empty, or a distance is NaN.
    """
    _check(between, 'between')
    first = (between == between.amin(dim=1, keepdim=True)).int().argmax(dim=1)
    return torch.zeros(between.shape[1], dtype=torch.float64).index_fill(0, first.cpu(), 1.0)


def minimum_matching_distance(between: Tensor) -> Tensor:
    """MMD: distance of each reference to the nearest sample.

    Args:
        between: (S, R) distances of samples, by row, to references.

    Returns:
        (R,) float64.

    Raises:
        ValueError: A set is empty, or a distance is NaN.
    """
    _check(between, 'between')
    return between.double().amin(dim=0)


def set_scores(samples: Tensor, references: Tensor, kind: str = 'cd') -> Dict[str, Tensor]:
    """All three, of as many samples as references.

    Args:
        samples: (N, P, 3) floating clouds.
        references: (N, P, 3), the same dtype and device.
        kind: Of distance, see :func:`~mmfusion_plugin.evaluation.pairwise_distances.pairwise_distances`.

    Returns:
        ``nna`` (the mean of a sample's value and of the reference's in the same row; without it where N is 1, for which
        it has no meaning), ``cov`` and ``mmd``, each (N,) float64.

    Raises:
        ValueError: The sets differ in size or are empty, or a cloud is wrong.
    """
    size = len(samples)
    if len(references) != size or not size:
        raise ValueError(f'need as many samples as references, at least one, got {size} and {len(references)}')
    distances = pairwise_distances(torch.cat([samples, references]), kind=kind)
    between = distances[:size, size:]
    scores = dict(cov=coverage(between), mmd=minimum_matching_distance(between))
    if size == 1:
        return scores
    return dict(nna=one_nna(distances[:size, :size], between, distances[size:, size:]).mean(dim=0), **scores)


def _check(distances: Tensor, name: str) -> None:
    if distances.dim() != 2 or not distances.numel() or bool(distances.isnan().any()):
        raise ValueError(f'{name} must be distances (S, R) of at least one pair, none NaN, got '
                         f'{tuple(distances.shape)}')
