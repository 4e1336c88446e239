"""Loading the vertices of a scan."""

from __future__ import annotations

from typing import Any, Optional

import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthPoints

from ..scan_files import read_scan_labels, read_scan_points


@TRANSFORMS.register_module()
class LoadScan(BaseTransform):
    """Load the vertices of a scan and, where there are any, their labels.

    Args:
        use_color: Keep red, green and blue, divided by 255, beside the coordinates.
        backend_args: File backend of mmengine.
    """

    def __init__(self, use_color: bool = False, backend_args: Optional[dict[str, Any]] = None) -> None:
        self.use_color, self.backend_args = use_color, backend_args

    def transform(self, results: dict) -> dict:
        """Add ``points`` (``DepthPoints``, metres, z up), ``scan_xyz`` (``(N, 3)`` float32, which stays whole when
        points are cut away) and ``pts_semantic_mask`` ``(N,)`` int64, in evaluation to ``eval_ann_info`` too.

        Raises:
            CorruptDataError: A file is missing or damaged.
            ValueError: A training scan has no labels.
        """
        values = read_scan_points(results['lidar_path'], results['num_points'], self.backend_args)
        results['scan_xyz'] = values[:, :3].copy()
        if self.use_color:
            values[:, 3:] /= 255
            dims = {'color': [3, 4, 5]}
            results['points'] = DepthPoints(torch.from_numpy(values), points_dim=6, attribute_dims=dims)
        else:
            results['points'] = DepthPoints(torch.from_numpy(results['scan_xyz'].copy()))
        results['num_points_total'] = len(values)
        path = results.get('pts_semantic_mask_path')
        if path is not None:
            ids = read_scan_labels(path, len(values), self.backend_args)
            results['pts_semantic_mask'] = results['seg_label_mapping'][ids]
            if 'eval_ann_info' in results:
                results['eval_ann_info']['pts_semantic_mask'] = results['pts_semantic_mask']
        elif not results.get('test_mode'):
            raise ValueError(
                f'scan {results.get("scan_id")} has no labels (pts_semantic_mask_path): train on scans of the train or '
                'val split'
            )
        return results
