"""Points to voxels and their features beside what one would call otherwise, for ``ops.py``."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import torch
from feature_cases import REDUCTIONS, both_ways, voxel_indices
from point_cases import CHANNELS, Case
from torch import Tensor
from torch.nn import functional

from mmfusion_plugin.ops.voxels import unique_voxels, voxel_coordinates


def voxel_cases(cloud: Tensor) -> Iterator[Case]:
    """Against numpy, ``torch.unique`` and mmcv's ``DynamicScatter``, which is mmdet3d's too."""
    lower, upper, grid = np.array([-50.0, -50, -4]), np.array([50.0, 50, 3]), np.array([1000, 1000, 70])
    points = cloud.cpu().numpy()
    yield Case(
        'voxel_coordinates',
        lambda: voxel_coordinates(cloud, lower.tolist(), upper.tolist(), grid.tolist()),
        'numpy on a CPU',
        lambda: (grid * (points - lower) / (upper - lower)).astype(np.int64),
    )
    coordinates = voxel_indices(cloud)
    yield Case(
        'unique voxels',
        lambda: unique_voxels(coordinates),
        'torch.unique(dim=0)',
        lambda: torch.unique(coordinates, dim=0, return_inverse=True),
    )
    src = torch.randn(len(cloud), CHANNELS, device=cloud.device)
    yield from dynamic_scatter_cases(coordinates[:, 1:].int(), src)


def dynamic_scatter_cases(coordinates: Tensor, src: Tensor) -> Iterator[Case]:
    """Voxels and their features in one call; mmcv finds the voxels itself."""

    def ours(rows: Tensor, reduction: Callable) -> Tensor:
        voxels = unique_voxels(functional.pad(coordinates.long(), (1, 0)))
        return reduction(rows, voxels.inverse, len(voxels.coordinates))

    for name, reduction in (('mean', REDUCTIONS['mean']), ('max', REDUCTIONS['amax'])):
        op = f'voxels and scatter {name}'
        if not src.is_cuda:
            yield Case(op, lambda r=reduction: ours(src, r), "mmcv's DynamicScatter: no CPU kernel", None)
            continue
        from mmcv.ops import dynamic_scatter

        yield from both_ways(
            op,
            src,
            lambda rows, r=reduction: ours(rows, r),
            "mmcv's DynamicScatter",
            lambda rows, n=name: dynamic_scatter(rows, coordinates, n)[0],
        )
