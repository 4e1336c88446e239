"""Farthest point sampling: a subset of a cloud that covers it evenly."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .backends import mmcv_runs_on


def farthest_point_sample(points: Tensor, num: int, start: int | Tensor = 0, backend: str = 'auto') -> Tensor:
    """Choose points one by one, each the farthest from those chosen before.

    Args:
        points: (B, N, D) or (N, D), floating. Compared in their own precision (half precision in float32).
        num: Number of points to choose, at most N.
        start: Index of the first point; one for all clouds, or (B,) int64.
        backend: ``'torch'`` (either device; numpy on a CPU), ``'mmcv'`` (CUDA, D = 3, start 0) or ``'auto'``. mmcv
            breaks ties between equally far points by thread, all else by the lowest index.

    Returns:
        Indices (B, num), int64, in the order chosen, for 2-D points (num,). Where a cloud has fewer distinct places
        than ``num``, the lowest index repeats.

    Raises:
        TypeError: ``points`` is not floating.
        ValueError: A shape, ``num``, ``start`` or the backend is wrong, or a coordinate is NaN or infinite.
    """
    if not points.is_floating_point():
        raise TypeError(f'points must be floating, got {points.dtype}')
    if points.dim() not in (2, 3) or not points.shape[-1]:
        raise ValueError(f'points must be (B, N, D) or (N, D), got {tuple(points.shape)}')
    if points.dim() == 2:
        return farthest_point_sample(points[None], num, start, backend)[0]
    batch, size = points.shape[:2]
    if not 0 <= num <= size:
        raise ValueError(f'num must be in [0, {size}], the size of the clouds, got {num}')
    if not bool(torch.isfinite(points).all()):
        raise ValueError('points hold NaN or infinite coordinates: drop those points first')
    first = torch.as_tensor(start, dtype=torch.long, device=points.device).expand(batch)
    if num and batch and (int(first.min()) < 0 or int(first.max()) >= size):
        raise ValueError(f'start must be in [0, {size}), got {start}')
    points = points.detach()
    if points.dtype in (torch.float16, torch.bfloat16):
        points = points.float()
    if not num or not batch:
        return torch.empty(batch, num, dtype=torch.long, device=points.device)
    if _use_mmcv(points, start, backend):
        from mmcv.ops import furthest_point_sample as mmcv_sample

        return mmcv_sample(points.contiguous(), num).long()
    if points.device.type == 'cpu':
        clouds = zip(points.numpy(), first.tolist())
        return torch.from_numpy(np.stack([_sample_numpy(cloud, num, begin) for cloud, begin in clouds]))
    return _sample_torch(points, num, first)


def _use_mmcv(points: Tensor, start: int | Tensor, backend: str) -> bool:
    """Whether mmcv's kernel does the work."""
    if backend not in ('auto', 'torch', 'mmcv'):
        raise ValueError(f"backend must be 'auto', 'torch' or 'mmcv', got {backend!r}")
    able = points.is_cuda and points.dtype == torch.float32 and points.shape[2] == 3 and isinstance(start, int)
    able = able and start == 0 and mmcv_runs_on(points.device)
    if backend == 'mmcv' and not able:
        raise ValueError("backend 'mmcv' needs float32 points (B, N, 3) on CUDA, start=0 and mmcv compiled for CUDA")
    return able and backend != 'torch'


def _sample_numpy(points: np.ndarray, num: int, start: int) -> np.ndarray:
    """Sample one cloud (N, D). numpy's short loops start faster than torch's, and there are ``num`` of them."""
    axes = np.ascontiguousarray(points.T)
    nearest = np.full(axes.shape[1], np.inf, dtype=axes.dtype)
    dist2, square = np.empty_like(nearest), np.empty_like(nearest)
    index = np.empty(num, dtype=np.int64)
    index[0] = start
    for step in range(1, num):
        last = index[step - 1]
        np.subtract(axes[0], axes[0, last], out=dist2)
        np.multiply(dist2, dist2, out=dist2)
        for axis in axes[1:]:
            np.subtract(axis, axis[last], out=square)
            np.multiply(square, square, out=square)
            np.add(dist2, square, out=dist2)
        np.minimum(nearest, dist2, out=nearest)
        index[step] = nearest.argmax()
    return index


def _sample_torch(points: Tensor, num: int, first: Tensor) -> Tensor:
    """Sample a batch of clouds (B, N, D) at once, without waiting for the device."""
    axes = points.transpose(1, 2).contiguous()
    nearest = torch.full_like(axes[:, 0], torch.inf)
    index = torch.empty(len(points), num, dtype=torch.long, device=points.device)
    index[:, 0] = first
    for step in range(1, num):
        last = index[:, step - 1].view(-1, 1, 1).expand(-1, axes.shape[1], 1)
        square = (axes - axes.gather(2, last)).square_()
        dist2 = square[:, 0]
        for axis in range(1, axes.shape[1]):
            dist2 = dist2 + square[:, axis]
        torch.minimum(nearest, dist2, out=nearest)
        index[:, step] = nearest.argmax(dim=1)
    return index
