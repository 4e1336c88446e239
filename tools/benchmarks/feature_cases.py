"""Reductions, projection and sampling beside what one would call otherwise, for ``ops.py``."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import torch
from point_cases import CHANNELS, Case
from torch import Tensor
from torch.nn import functional

from mmfusion_plugin.ops.projection import project_points
from mmfusion_plugin.ops.sampling import sample_at_pixels
from mmfusion_plugin.ops.scatter import majority_vote, scatter_max, scatter_mean, scatter_sum
from mmfusion_plugin.ops.voxels import unique_voxels

CLASSES, VOXEL = 17, 0.1
REDUCTIONS = {'sum': scatter_sum, 'mean': scatter_mean, 'amax': lambda *args: scatter_max(*args)[0]}


def both_ways(op: str, src: Tensor, ours: Callable, other_name: str, other: Callable) -> Iterator[Case]:
    """A function of a tensor, forward and then with backward."""
    leaf = src.clone().requires_grad_()
    yield Case(f'{op}, forward', lambda: ours(src), other_name, lambda: other(src))

    def train(function: Callable) -> None:
        leaf.grad = None
        function(leaf).sum().backward()

    yield Case(f'{op}, forward+backward', lambda: train(ours), other_name, lambda: train(other))


def voxel_indices(cloud: Tensor) -> Tensor:
    """Voxel [batch, x, y, z] of each point, from 0."""
    grid = torch.floor((cloud - cloud.amin(0)) / VOXEL).long()
    return torch.cat([torch.zeros_like(grid[:, :1]), grid], dim=1)


def scatter_cases(cloud: Tensor) -> Iterator[Case]:
    """Against ``scatter_reduce``."""
    coordinates = voxel_indices(cloud)
    index = unique_voxels(coordinates).inverse
    size = int(index.max()) + 1
    src, target = torch.randn(len(cloud), CHANNELS, device=cloud.device), index[:, None].expand(-1, CHANNELS)
    for name, reduction in REDUCTIONS.items():

        def other(rows: Tensor, name: str = name) -> Tensor:
            return rows.new_zeros(size, CHANNELS).scatter_reduce(0, target, rows, name, include_self=False)

        def ours(rows: Tensor, reduction: Callable = reduction) -> Tensor:
            return reduction(rows, index, size)

        yield from both_ways(f'scatter {name}', src, ours, 'scatter_reduce', other)
    labels = torch.randint(0, CLASSES, index.shape, device=index.device)
    table = torch.zeros(size, CLASSES, dtype=torch.long, device=index.device)
    yield Case(
        'majority vote',
        lambda: majority_vote(labels, index, size, CLASSES),
        'one_hot, index_add',
        lambda: table.index_add(0, index, functional.one_hot(labels, CLASSES)).argmax(dim=1),
    )


def image_cases(cloud: Tensor) -> Iterator[Case]:
    """Against the devkit's way in numpy and ``grid_sample``."""
    intrinsic = np.array([[1266.0, 0, 816], [0, 1266, 491], [0, 0, 1]])
    points, identity = cloud.cpu().numpy(), np.eye(4)
    view = np.eye(4)
    view[:3, :3] = intrinsic

    def view_points() -> np.ndarray:
        camera = identity[:3, :3] @ points.T + identity[:3, 3:]
        pixels = view @ np.concatenate([camera, np.ones((1, len(points)))])
        return pixels[:2] / pixels[2]

    yield Case('project_points', lambda: project_points(points, identity, intrinsic), 'numpy, as devkit', view_points)
    feature_map = torch.randn(CHANNELS, 100, 200, device=cloud.device)
    extent = cloud.new_tensor([800, 400])
    pixels = torch.rand(len(cloud), 2, device=cloud.device) * extent
    grid = ((2 * pixels + 1) / extent - 1)[None, None]

    def grid_sample(values: Tensor, mode: str) -> Tensor:
        sampled = functional.grid_sample(values[None], grid, mode, padding_mode='border', align_corners=False)
        return sampled[0, :, 0].t()

    for mode in ('bilinear', 'nearest'):
        yield from both_ways(
            f'sample_at_pixels, {mode}',
            feature_map,
            lambda values, m=mode: sample_at_pixels(values, pixels, 4, m),
            'grid_sample',
            lambda values, m=mode: grid_sample(values, m),
        )
