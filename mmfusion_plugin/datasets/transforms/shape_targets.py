"""Loading the true shape of an object: a cloud, or voxels."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..shape_files import read_shape_points, read_shape_voxels


@TRANSFORMS.register_module()
class LoadCloudTarget(BaseTransform):
    """Load ``cloud_path``, of ``num_points`` points, turned as ``cloud_frame`` says."""

    def transform(self, results: dict) -> dict:
        """Add ``gt_points`` ``(num_points, 3)`` float32.

        Raises:
            CorruptDataError: The file is missing, damaged, or has another number of points.
        """
        frame = results.get('cloud_frame', 'stored')
        results['gt_points'] = read_shape_points(results['cloud_path'], results.get('num_points'), frame)
        return results


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
