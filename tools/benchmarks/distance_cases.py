"""Distances between clouds and what one would call otherwise, for ``distances.py``."""

from __future__ import annotations

from typing import Callable, NamedTuple

import torch
from mmdet3d.models.losses.chamfer_distance import chamfer_distance as mmdet3d_chamfer
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from torch import Tensor
from torch.nn import functional

from mmfusion_plugin.ops.chamfer import chamfer_distance
from mmfusion_plugin.ops.emd import exact_emd, sinkhorn_divergence

Distance = Callable[[Tensor, Tensor], Tensor]


class Case(NamedTuple):
    """One row of the table: two functions of (B, N, 3) clouds to one number, their mean distance over the batch."""

    ours: Distance
    other_name: str
    other: Distance
    backward: bool = False
    max_points: int | None = None


def clouds(batch: int, points: int, device: str) -> tuple[Tensor, Tensor]:
    """Predicted and true clouds (B, N, 3) in the unit cube: ellipsoids, the predicted ones blurred by 0.05."""
    generator = torch.Generator().manual_seed(0)
    axes = 0.2 + 0.3 * torch.rand(batch, 1, 3, generator=generator)
    prediction, truth = (
        axes * functional.normalize(torch.randn(batch, points, 3, generator=generator), dim=2) for _ in range(2)
    )
    return (prediction + 0.05 * torch.randn(prediction.shape, generator=generator)).to(device), truth.to(device)


def our_chamfer(prediction: Tensor, truth: Tensor) -> Tensor:
    return sum(chamfer_distance(prediction, truth)).mean()


def their_chamfer(prediction: Tensor, truth: Tensor) -> Tensor:
    return sum(mmdet3d_chamfer(prediction, truth)[:2])


def tree_chamfer(prediction: Tensor, truth: Tensor) -> Tensor:
    """By scipy's k-d tree with its defaults."""
    total = 0.0
    for x, y in zip(prediction.detach().cpu().numpy(), truth.cpu().numpy()):
        total += (cKDTree(y).query(x)[0] ** 2).mean() + (cKDTree(x).query(y)[0] ** 2).mean()
    return torch.tensor(total / len(truth))


def geomloss_divergence(prediction: Tensor, truth: Tensor) -> Tensor:
    """All matrices at once, the only backend that takes batches without compiling kernels."""
    from geomloss import SamplesLoss

    return SamplesLoss(backend='tensorized')(prediction, truth).mean()


def scipy_assignment(prediction: Tensor, truth: Tensor) -> Tensor:
    total = 0.0
    for x, y in zip(prediction.detach().cpu().numpy(), truth.cpu().numpy()):
        cost = cdist(x, y)
        total += cost[linear_sum_assignment(cost)].mean()
    return torch.tensor(total / len(truth))


CASES = {
    'Chamfer, forward': Case(our_chamfer, 'mmdet3d', their_chamfer),
    'Chamfer, forward+backward': Case(our_chamfer, 'mmdet3d', their_chamfer, backward=True),
    'Chamfer, by scipy': Case(our_chamfer, 'scipy cKDTree', tree_chamfer),
    'Sinkhorn, forward+backward': Case(
        lambda x, y: sinkhorn_divergence(x, y).mean(), 'geomloss', geomloss_divergence, backward=True
    ),
    'EMD, exact': Case(lambda x, y: exact_emd(x, y).mean(), 'scipy', scipy_assignment, max_points=2048),
}
