"""Loading the true shape of an object: a cloud, or voxels."""

from __future__ import annotations

from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..shape_files import read_shape_points, read_shape_voxels

SAMPLINGS = ('even', 'random')


@TRANSFORMS.register_module()
class LoadCloudTarget(BaseTransform):
    """Load ``cloud_path``, of ``num_points`` points, turned as ``cloud_frame`` says.

    Args:
        keep: Points kept of each cloud; None keeps all. Losses are faster with few, the Sinkhorn divergence above all.
        sampling: Which are kept: ``'even'``, rows ``floor(k M / keep)`` of M in their order, the same each time (points
            of published clouds are in no order); or ``'random'``, others each time, for training.

    Raises:
        ValueError: An option is wrong.
    """

    def __init__(self, keep: Optional[int] = None, sampling: str = 'even') -> None:
        if keep is not None and (not isinstance(keep, int) or keep < 1):
            raise ValueError(f'keep must be None or at least 1, got {keep!r}')
        if sampling not in SAMPLINGS:
            raise ValueError(f'sampling must be one of {", ".join(SAMPLINGS)}, got {sampling!r}')
        self.keep, self.sampling = keep, sampling

    def transform(self, results: dict) -> dict:
        """Add ``gt_points`` ``(num_points, 3)`` float32, or ``(keep, 3)``.

        Raises:
            CorruptDataError: The file is missing, damaged, or has another number of points.
            ValueError: It has fewer points than are to be kept.
        """
        path, frame = results['cloud_path'], results.get('cloud_frame', 'stored')
        points = read_shape_points(path, results.get('num_points'), frame)
        results['gt_points'] = points if self.keep is None else points[self._rows(len(points), path)]
        return results

    def _rows(self, count: int, path: str) -> np.ndarray:
        if count < self.keep:
            raise ValueError(f'{path} has {count} points, of which {self.keep} cannot be kept: lower keep, or load '
                             'larger clouds (num_points)')  # fmt: skip
        if self.sampling == 'even':
            return np.arange(self.keep) * count // self.keep
        # From numpy's global state, which the launchers seed in each process that loads data.
        return np.random.permutation(count)[: self.keep]


@TRANSFORMS.register_module()
class LoadVoxelTarget(BaseTransform):
    """Load ``voxel_path``, a ``.binvox`` file.

    Args:
        size: Voxels along each side.
    """

    def __init__(self, size: int = 32) -> None:
        if not isinstance(size, int) or size < 1:
            raise ValueError(f'size must be at least 1, got {size!r}')
        self.size = size

    def transform(self, results: dict) -> dict:
        """Add ``gt_voxels`` ``(size, size, size)`` bool, indexed by x, y, z.

        Raises:
            CorruptDataError: The file is missing, damaged, or of another size.
        """
        results['gt_voxels'] = read_shape_voxels(results['voxel_path'], self.size)
        return results
