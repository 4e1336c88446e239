"""From points to the pixels that show them."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...structures import PointPixelMatch


@TRANSFORMS.register_module()
class MatchPointsToPixels(BaseTransform):
    """Look up each point in each loaded view, once, on the sweep as recorded.

    Uses the full chain lidar -> ego(t_lidar) -> global -> ego(t_camera) -> camera -> image in float64. Occlusion is not
    tested (nor is it in 2DPASS's code). Later transforms carry the match along and never recompute it.

    Args:
        min_depth: Least depth along the optical axis in metres (2DPASS: 0).
    """

    def __init__(self, min_depth: float = 0.0) -> None:
        self.min_depth = min_depth

    def transform(self, results: dict) -> dict:
        """Add ``point_pixel_match`` for ``points`` and ``img``.

        Raises:
            ValueError: Images are not loaded, or points or images were augmented before.
        """
        if 'img' not in results:
            raise ValueError('MatchPointsToPixels needs images: put LoadCameraImages before it')
        moved = 'lidar_aug_matrix' in results
        if moved or not (results['img_aug_matrix'] == np.eye(3)).all():
            raise ValueError(
                f'MatchPointsToPixels must stand before transforms that change {"points" if moved else "images"}'
            )
        xyz = results['points'].tensor[:, :3].numpy()
        cameras = results['lidar2cam'], results['cam2img'], results['img_shape']
        results['point_pixel_match'] = PointPixelMatch.project(xyz, *cameras, min_depth=self.min_depth)
        return results
