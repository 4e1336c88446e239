"""Neighbourhoods in point clouds: nearest neighbours, balls, farthest points, and interpolation between them.

Points are (B, N, D) float tensors, clouds of one batch being equally large; a 2-D input is a batch of one and gives
results without the batch axis. ``backend`` names who searches: ``'scipy'`` (k-d tree, CPU), ``'torch'`` (all pairs in
chunks, either device), ``'mmcv'`` (its CUDA kernels) or ``'auto'`` (scipy on a CPU; mmcv on CUDA if its kernels run
there and the points are float32, else torch). All give the same neighbours: distances compare in float64, equal ones by
index, save that mmcv's ball query compares in float32 and so may differ for points on the surface of a ball.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .backends import mmcv_runs_on
from .farthest_points import farthest_point_sample
from .neighbour_search import nearest, within

__all__ = ['ball_query', 'farthest_point_sample', 'knn', 'three_interpolate', 'three_nn']


def knn(query: Tensor, reference: Tensor, k: int, backend: str = 'auto') -> tuple[Tensor, Tensor]:
    """The k nearest references of each query.

    Args:
        query: (B, M, D) or (M, D), floating, in metres.
        reference: (B, N, D) or (N, D), same dtype and device.
        k: Number of neighbours.
        backend: Who searches, see the module.

    Returns:
        Squared distances (B, M, k), ascending, in the dtype of ``query`` (float32 for half precision), differentiable
        in both clouds; and indices (B, M, k), int64, the lowest first among equal distances. Where there are fewer than
        k references the rest is infinite and -1.

    Raises:
        TypeError: A cloud is not floating.
        ValueError: A shape, ``k`` or the backend is wrong, or a coordinate is NaN or infinite.
    """
    _check_clouds(query, reference)
    _check_count('k', k)
    backend = _resolve(backend, query)
    if query.dim() == 2:
        dist2, index = knn(query[None], reference[None], k, backend)
        return dist2[0], index[0]
    batch, rows = query.shape[:2]
    found = min(k, reference.shape[1])
    shape = (batch, rows, k)
    dtype = torch.promote_types(query.dtype, torch.float32)
    dist2 = torch.full(shape, torch.inf, dtype=dtype, device=query.device)
    index = torch.full(shape, -1, dtype=torch.long, device=query.device)
    if found and batch and rows:
        pairs = [nearest(q, r, found, backend) for q, r in zip(query.detach(), reference.detach())]
        dist2[..., :found] = torch.stack([pair[0] for pair in pairs]).to(dtype)
        index[..., :found] = torch.stack([pair[1] for pair in pairs])
        dist2 = _SquaredDistance.apply(query, reference, index, dist2)
    return dist2, index


def ball_query(
    query: Tensor, reference: Tensor, radius: float, k: int, min_radius: float = 0.0, backend: str = 'auto'
) -> Tensor:
    """The first k references, by index, in the ball (or shell) around each query.

    Args:
        query: (B, M, D) or (M, D), floating, in metres.
        reference: (B, N, D) or (N, D), same dtype and device.
        radius: References at ``d^2 < radius^2`` are inside (metres).
        k: Number of references per ball.
        min_radius: Those at ``d^2 < min_radius^2`` are not. (mmcv makes an exception for d = 0; there is none here.)
        backend: Who searches, see the module.

    Returns:
        Indices (B, M, k), int64, ascending. A ball with fewer references is padded with its first; an empty ball
        is -1 throughout.

    Raises:
        TypeError: A cloud is not floating.
        ValueError: A shape, ``k``, a radius or the backend is wrong, or a coordinate is NaN or infinite.
    """
    _check_clouds(query, reference)
    _check_count('k', k)
    if not 0 <= min_radius < radius < float('inf'):
        raise ValueError(f'need 0 <= min_radius < radius, got min_radius={min_radius} and radius={radius}')
    backend = _resolve(backend, query)
    if query.dim() == 2:
        return ball_query(query[None], reference[None], radius, k, min_radius, backend)[0]
    if not query.shape[0]:
        return torch.empty(0, query.shape[1], k, dtype=torch.long, device=query.device)
    clouds = zip(query.detach(), reference.detach())
    index = torch.stack([within(q, r, radius, k, min_radius, backend) for q, r in clouds])
    return torch.where(index < 0, index[..., :1], index)


def three_nn(target: Tensor, source: Tensor, backend: str = 'auto') -> tuple[Tensor, Tensor]:
    """The three nearest sources of each target.

    Args:
        target: (B, M, 3) or (M, 3), floating, in metres.
        source: (B, N, 3) or (N, 3), same dtype and device.
        backend: Who searches, see the module.

    Returns:
        Distances (B, M, 3) (not squared; differentiable, with gradient 0 where a distance is 0) and indices
        (B, M, 3), int64; infinite and -1 where there are fewer than three sources.

    Raises:
        TypeError, ValueError: As :func:`knn`.
    """
    dist2, index = knn(target, source, 3, backend)
    apart = dist2 > 0  # the square root has no finite derivative at 0
    return torch.where(apart, torch.where(apart, dist2, 1.0).sqrt(), 0.0), index


def three_interpolate(features: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of the features of three sources per target.

    Args:
        features: (B, C, N), floating.
        index: (B, M, 3), int64, as from :func:`three_nn`; -1 counts for nothing, whatever its weight.
        weight: (B, M, 3), floating.

    Returns:
        (B, C, M), differentiable in features and weights.

    Raises:
        TypeError: ``index`` is not int64.
        ValueError: Shapes do not fit together, or an index is out of range.
    """
    if index.dtype != torch.long:
        raise TypeError(f'index must be int64, got {index.dtype}')
    if features.dim() != 3 or index.dim() != 3 or index.shape[::2] != (features.shape[0], 3):
        raise ValueError(f'need features (B, C, N) and index (B, M, 3), got {_shapes(features, index)}')
    if weight.shape != index.shape:
        raise ValueError(f'weight and index must have one shape, got {_shapes(weight, index)}')
    batch, channels, sources = features.shape
    targets = index.shape[1]
    if index.numel() and (int(index.min()) < -1 or int(index.max()) >= sources):
        raise ValueError(f'index reaches from {int(index.min())} to {int(index.max())}, there are {sources} sources')
    if not sources or not index.numel():
        return features.new_zeros(batch, channels, targets)
    missing = index < 0
    first = sources * torch.arange(batch, device=index.device).view(-1, 1, 1)
    rows = features.transpose(1, 2).reshape(-1, channels)
    flat = (index.masked_fill(missing, 0) + first).view(-1, 3)
    share = weight.masked_fill(missing, 0).to(features.dtype).view(-1, 3, 1)
    total = share[:, 0] * rows.index_select(0, flat[:, 0])
    for corner in (1, 2):
        total = total + share[:, corner] * rows.index_select(0, flat[:, corner])
    return total.view(batch, targets, channels).transpose(1, 2)


class _SquaredDistance(torch.autograd.Function):
    """Known squared distances with their derivative: d|q - r|^2 = 2 (q - r) (dq - dr)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, reference: Tensor, index: Tensor, dist2: Tensor) -> Tensor:
        ctx.save_for_backward(query, reference, index)
        return dist2.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        query, reference, index = ctx.saved_tensors
        batch, sources, axes = reference.shape
        missing = index < 0
        flat = index.masked_fill(missing, 0) + sources * torch.arange(batch, device=index.device).view(-1, 1, 1)
        picked = reference.reshape(-1, axes).index_select(0, flat.view(-1)).view(index.shape + (axes,))
        slope = 2 * (query[:, :, None] - picked) * grad.masked_fill(missing, 0)[..., None]
        slope = slope.to(query.dtype)
        back = torch.zeros_like(reference).view(-1, axes).index_add(0, flat.view(-1), slope.reshape(-1, axes))
        return slope.sum(dim=2), -back.view_as(reference), None, None


def _resolve(backend: str, points: Tensor) -> str:
    """The backend that ``'auto'`` means for these points; refuses one that cannot run on their device."""
    if backend not in ('auto', 'scipy', 'torch', 'mmcv'):
        raise ValueError(f"backend must be 'auto', 'scipy', 'torch' or 'mmcv', got {backend!r}")
    if backend == 'auto':
        if not points.is_cuda:
            return 'scipy' if points.device.type == 'cpu' else 'torch'
        return 'mmcv' if points.dtype != torch.float64 and mmcv_runs_on(points.device) else 'torch'
    if (backend == 'scipy' and points.device.type != 'cpu') or (backend == 'mmcv' and not points.is_cuda):
        raise ValueError(f"backend {backend!r} cannot search points on {points.device}: use 'auto' or 'torch'")
    return backend


def _check_clouds(query: Tensor, reference: Tensor) -> None:
    """Refuse clouds that do not fit together or are not finite."""
    if not query.is_floating_point() or query.dtype != reference.dtype:
        raise TypeError(f'both clouds must have one floating dtype, got {query.dtype} and {reference.dtype}')
    fits = query.dim() == reference.dim() and query.dim() in (2, 3) and query.shape[-1] == reference.shape[-1] > 0
    if not fits or (query.dim() == 3 and query.shape[0] != reference.shape[0]):
        raise ValueError(f'need (B, M, D) and (B, N, D) or (M, D) and (N, D), got {_shapes(query, reference)}')
    for name, cloud in (('query', query), ('reference', reference)):
        if not bool(torch.isfinite(cloud).all()):
            raise ValueError(f'{name} holds NaN or infinite coordinates: drop those points first')


def _check_count(name: str, count: int) -> None:
    if count < 1:
        raise ValueError(f'{name} must be at least 1, got {count}')


def _shapes(*tensors: Tensor) -> str:
    return ' and '.join(str(tuple(tensor.shape)) for tensor in tensors)
