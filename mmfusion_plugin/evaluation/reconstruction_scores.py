"""How far a predicted cloud is from the true one: plain functions of two clouds, calculated in float64."""

from __future__ import annotations

from typing import Dict, Sequence

import torch
from torch import Tensor

from mmfusion_plugin.ops.chamfer import chamfer_distance, nearest_distances
from mmfusion_plugin.ops.emd import exact_emd, sinkhorn_divergence

PVD_THRESHOLD = 0.001**0.5
"""F-score's threshold in PVD's metrics, with which CISP is evaluated: a squared distance of 0.001."""
EXACT_LIMIT = 2048
"""Points up to which an assignment is solved: half a second then, eight where a prediction is clumped."""
SINKHORN = dict(p=1, blur=0.005, scaling=0.9)
"""What stands in for the exact EMD, in the unit of the points."""


def chamfer(prediction: Tensor, target: Tensor, squared: bool = False) -> float:
    """Mean distance of each point to the nearest of the other cloud, both ways added.

    3D-LMNet and 3D-ReConstNet evaluate distances that are not squared (``metrics_utils.py``), PVD squared ones.

    Args:
        prediction: (N, 3) floating, N > 0.
        target: (M, 3), M > 0, in the same unit.
        squared: Average d^2 rather than d.

    Returns:
        In the unit of the points (squared).

    Raises:
        ValueError: A cloud is empty, of another shape or not finite.
    """
    return float(sum(chamfer_distance(*checked_pair(prediction, target), squared=squared)))


def earth_mover(prediction: Tensor, target: Tensor, kind: str = 'exact') -> float:
    """Mean distance that points are moved by the best one-to-one assignment.

    Published numbers are of an approximation, an auction on the GPU.

    Args:
        prediction: (N, 3) floating, N > 0.
        target: (M, 3), M > 0, in the same unit.
        kind: ``'exact'``, by assignment, needs M = N of at most 2048; ``'sinkhorn'``, with a blur of 0.005, takes any
            sizes and is lower by about that much.

    Returns:
        In the unit of the points.

    Raises:
        ValueError: A cloud is empty, of another shape or not finite, the kind is another one, or an assignment is
            asked for clouds that differ in size or are too large.
    """
    prediction, target = checked_pair(prediction, target)
    if kind == 'sinkhorn':
        return float(sinkhorn_divergence(prediction, target, **SINKHORN))
    if kind != 'exact':
        raise ValueError(f"EMD must be 'exact' or 'sinkhorn', got {kind!r}")
    if len(prediction) != len(target) or len(target) > EXACT_LIMIT:
        raise ValueError(f'an exact EMD needs two clouds of one size of at most {EXACT_LIMIT} points, got '
                         f"{len(prediction)} and {len(target)}: thin both by giving points, or take emd='sinkhorn'")
    return float(exact_emd(prediction, target, max_points=EXACT_LIMIT))


def f_score(prediction: Tensor, target: Tensor, threshold: float = PVD_THRESHOLD) -> float:
    """Harmonic mean of the shares of points, predicted and true, with one of the other cloud nearer than a threshold.

    Precision and recall of Tatarchenko et al. (CVPR 2019), who take 0.01 of the shape's side and dense clouds.

    Args:
        prediction: (N, 3) floating, N > 0.
        target: (M, 3), M > 0, in the same unit.
        threshold: In the unit of the points, not squared.

    Returns:
        In 0..1.

    Raises:
        ValueError: A cloud is empty, of another shape or not finite.
    """
    distances = nearest_distances(*checked_pair(prediction, target))
    precision, recall = (float((distance < threshold).double().mean()) for distance in distances)
    return 2 * precision * recall / max(precision + recall, torch.finfo(torch.float64).tiny)


def mean_and_best(each: Sequence[Dict[str, float]]) -> Dict[str, float]:
    """Scores of several samples for one image: ``*_mean`` and ``*_best``, the least, of ``iou`` and ``f_score`` the
    greatest.

    Args:
        each: The scores of every sample, at least one.
    """
    scores = {}
    for key in each[0]:
        values = [one[key] for one in each]
        scores[f'{key}_mean'] = sum(values) / len(values)
        scores[f'{key}_best'] = (max if key in ('iou', 'f_score') else min)(values)
    return scores


def sample_spread(samples: Tensor) -> float:
    """How much clouds of one network differ, whose points correspond row by row.

    Args:
        samples: (S, N, 3) floating, S > 0; one alone has no spread.

    Returns:
        Mean over points of their standard deviation (over S - 1, all axes together), in the unit of the points.
    """
    return float(samples.double().var(dim=0, unbiased=len(samples) > 1).sum(dim=1).sqrt().mean())


def unit_cube(points: Tensor) -> Tensor:
    """A cloud whose bounding box is centred at 0 and has 1 as its longest side, as Pix3D and 3D-LMNet evaluate.

    Args:
        points: (N, 3) floating, N > 0.

    Returns:
        The same shape and dtype; all zeros where the points coincide.
    """
    low, high = points.amin(dim=0), points.amax(dim=0)
    side = (high - low).max()
    return (points - (low + high) / 2) / torch.where(side > 0, side, 1)


def checked_pair(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both clouds in float64 on the prediction's device.

    Raises:
        ValueError: One is empty, not (N, 3) or not finite; the text names which.
    """
    for name, cloud in (('the prediction', prediction), ('the ground truth', target)):
        if cloud.dim() != 2 or cloud.shape[1] != 3 or not len(cloud):
            raise ValueError(f'{name} must be a cloud (N, 3) of at least one point, got {tuple(cloud.shape)}')
        if not bool(cloud.isfinite().all()):
            raise ValueError(f'{name} holds NaN or infinite coordinates')
    return prediction.double(), target.to(prediction.device).double()
