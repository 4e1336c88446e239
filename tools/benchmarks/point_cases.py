"""Searches among points beside what one would call otherwise, for ``ops.py``."""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from mmfusion_plugin.ops.neighbours import ball_query, farthest_point_sample, knn, three_interpolate, three_nn

CENTRES, CHANNELS, NEIGHBOURS, BALL, RADIUS = 2048, 64, 8, 32, 0.5


class Case(NamedTuple):
    """One row of the table: two functions that do the same job, the other None where it cannot run here."""

    op: str
    ours: Callable[[], object]
    other_name: str
    other: Callable[[], object] | None


def lidar_cloud(points: int) -> Tensor:
    """Points (N, 3), metres, as a spinning 32-beam LiDAR sees ground and walls: dense near by, sparse far off."""
    generator = np.random.default_rng(0)
    azimuth = np.sort(generator.uniform(0, 2 * np.pi, points))
    elevation = np.deg2rad(np.linspace(-30, 10, 32))[np.arange(points) % 32] + generator.normal(0, 1e-3, points)
    wall = 15 + 10 * np.sin(3 * azimuth) + generator.uniform(0, 20, points) * (generator.random(points) < 0.3)
    ground = 1.8 / np.maximum(np.tan(-elevation), 1e-3)
    reach = np.minimum(wall, ground) + generator.normal(0, 0.02, points)
    cloud = np.stack([reach * np.cos(azimuth), reach * np.sin(azimuth), reach * np.tan(elevation)], axis=1)
    return torch.from_numpy(cloud.astype(np.float32))


def cpu_cases(cloud: Tensor) -> Iterator[Case]:
    """Against scipy, chunks of ``torch.cdist``, and a plain loop."""
    some = cloud[farthest_point_sample(cloud, CENTRES)]
    array, row = cloud.numpy(), torch.arange(len(cloud))
    yield Case(
        f'knn, k={NEIGHBOURS}',
        lambda: knn(cloud, cloud, NEIGHBOURS),
        'cKDTree',
        lambda: cKDTree(array).query(array, NEIGHBOURS, workers=torch.get_num_threads()),
    )
    yield Case(
        f'knn, k={NEIGHBOURS}, {CENTRES} queries',
        lambda: knn(some, cloud, NEIGHBOURS),
        'chunked cdist',
        lambda: [torch.cdist(part, cloud).topk(NEIGHBOURS, largest=False) for part in some.split(256)],
    )

    def dense_ball() -> list[object]:
        near = (torch.cdist(part, cloud) < RADIUS for part in some.split(256))
        return [torch.where(inside, row, len(row)).topk(BALL, largest=False) for inside in near]

    ball = f'ball query, {RADIUS} m, {CENTRES} queries'
    yield Case(ball, lambda: ball_query(some, cloud, RADIUS, BALL), 'chunked cdist', dense_ball)
    yield Case(
        f'farthest points, {CENTRES}',
        lambda: farthest_point_sample(cloud, CENTRES),
        'torch loop',
        lambda: farthest_loop(cloud, CENTRES),
    )
    yield Case(
        f'three_nn of {CENTRES}',
        lambda: three_nn(cloud, some),
        'chunked cdist',
        lambda: [torch.cdist(part, some).topk(3, largest=False) for part in cloud.split(4096)],
    )
    yield interpolation_case(cloud, some)


def cuda_cases(cloud: Tensor) -> Iterator[Case]:
    """Against mmcv's kernels."""
    from mmcv import ops

    some = cloud[farthest_point_sample(cloud, CENTRES)]
    batch, few = cloud[None].contiguous(), some[None].contiguous()
    for name, ours, other in (
        (f'knn, k={NEIGHBOURS}', lambda: knn(cloud, cloud, NEIGHBOURS), lambda: ops.knn(NEIGHBOURS, batch, batch)),
        (
            f'ball query, {RADIUS} m, {CENTRES} queries',
            lambda: ball_query(some, cloud, RADIUS, BALL),
            lambda: ops.ball_query(0, RADIUS, BALL, batch, few),
        ),
        (
            f'farthest points, {CENTRES}',
            lambda: farthest_point_sample(cloud, CENTRES),
            lambda: ops.furthest_point_sample(batch, CENTRES),
        ),
        (f'three_nn of {CENTRES}', lambda: three_nn(cloud, some), lambda: ops.three_nn(batch, few)),
    ):
        yield Case(name, ours, 'mmcv', other)
    yield interpolation_case(cloud, some)


def interpolation_case(cloud: Tensor, some: Tensor) -> Case:
    """Against mmcv's kernel on CUDA, else indexing and ``einsum``."""
    index, weight = three_nn(cloud, some)[1][None], torch.rand(1, len(cloud), 3, device=cloud.device)
    features = torch.randn(1, CHANNELS, CENTRES, device=cloud.device)
    other_name, other = 'einsum', lambda: torch.einsum('cmk,mk->cm', features[0][:, index[0]], weight[0])
    if cloud.is_cuda:
        from mmcv import ops

        narrow = index.int()
        other_name, other = 'mmcv', lambda: ops.three_interpolate(features, narrow, weight)
    op = f'three_interpolate, {CHANNELS} channels'
    return Case(op, lambda: three_interpolate(features, index, weight), other_name, other)


def farthest_loop(cloud: Tensor, num: int) -> list[int]:
    """Farthest point sampling as it is usually written."""
    chosen, nearest = [0], torch.full((len(cloud),), torch.inf, device=cloud.device)
    for _ in range(num - 1):
        nearest = torch.minimum(nearest, ((cloud - cloud[chosen[-1]]) ** 2).sum(dim=1))
        chosen.append(int(nearest.argmax()))
    return chosen
