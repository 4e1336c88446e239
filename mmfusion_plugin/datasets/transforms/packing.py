"""The last step of a pipeline: from the sample's dictionary to model inputs and a data sample."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import Det3DDataSample, PointData

from .loading import camera_geometry

META_KEYS = (
    'sample_idx',
    'token',
    'lidar_sample_data_token',
    'scene_name',
    'lidar_path',
    'num_pts_feats',
    'num_points_total',
    'lidar_aug_matrix',
    'cam_names',
    'img_path',
    'img_shape',
    'img_aug_matrix',
    'lidar2cam',
    'cam2img',
    'lidar2img',
)


@TRANSFORMS.register_module()
class PackFusionInputs(BaseTransform):
    """Pack a sample.

    ``inputs`` holds ``points`` ``(N, 4)`` float32 and, when images were loaded, ``imgs`` ``(V, 3, H, W)`` uint8 (BGR)
    and ``pixels`` ``(N, V, 2)`` float32, ``[u, v]`` in those images, -1 where unseen. ``data_samples`` is a
    ``Det3DDataSample`` with ``gt_pts_seg.pts_semantic_mask`` ``(N,)`` int64, ``gt_boxes_2d`` (:class:`Boxes2D` of
    tensors) and ``eval_ann_info``, each where the sample has it. ``lidar2cam``, ``cam2img`` and ``lidar2img`` belong
    to the images as stored, also when images were not loaded (then for all cameras); ``img_aug_matrix`` leads from
    there to ``imgs``.

    Args:
        meta_keys: What to copy into the data sample's meta information, where present.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``."""
        inputs = {'points': results['points'].tensor.contiguous()}
        if 'img' in results:
            images = np.stack(results['img']).transpose(0, 3, 1, 2)
            inputs['imgs'] = torch.from_numpy(np.ascontiguousarray(images))
        if 'point_pixel_match' in results:
            inputs['pixels'] = torch.from_numpy(np.ascontiguousarray(results['point_pixel_match'].pixels))

        sample = Det3DDataSample()
        if 'pts_semantic_mask' in results:
            mask = torch.from_numpy(np.ascontiguousarray(results['pts_semantic_mask'], dtype=np.int64))
            sample.gt_pts_seg = PointData(pts_semantic_mask=mask)
        if 'gt_boxes_2d' in results:
            sample.gt_boxes_2d = results['gt_boxes_2d'].to('cpu')
        sample.eval_ann_info = results.get('eval_ann_info')
        metas = {}
        if 'cam_names' not in results and results.get('images'):
            metas = camera_geometry(results['images'], list(results['images']))
        metas.update({key: results[key] for key in self.meta_keys if key in results})
        sample.set_metainfo({key: metas[key] for key in self.meta_keys if key in metas})
        return {'inputs': inputs, 'data_samples': sample}
