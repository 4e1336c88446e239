"""The last step of a pipeline: from the sample's dictionary to model inputs and a data sample."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.structures import PixelData

from .loading import camera_geometry

META_KEYS = (
    'sample_idx',
    'token',
    'lidar_sample_data_token',
    'scene_name',
    'scan_id',
    'frames',
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
    and ``pixels`` ``(N, V, 2)`` float32, ``[u, v]`` in those images, -1 where unseen. RGB-D samples have the inputs of
    :func:`pack_pixels` instead of ``pixels``, and need no points when images are segmented alone. ``data_samples`` is a
    ``Det3DDataSample`` with ``gt_pts_seg.pts_semantic_mask`` ``(N,)`` int64, ``gt_sem_seg.sem_seg`` ``(V, H, W)``
    int64, ``gt_boxes_2d`` (:class:`Boxes2D` of tensors) and ``eval_ann_info``, each where the sample has it.
    ``lidar2cam``, ``cam2img`` and ``lidar2img`` belong to the images as stored, also when images were not loaded (then
    for all cameras); ``img_aug_matrix`` leads from there to ``imgs``.

    Args:
        meta_keys: What to copy into the data sample's meta information, where present.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``."""
        inputs = {'points': results['points'].tensor.contiguous()} if 'points' in results else {}
        if results.get('img'):
            images = np.stack(results['img']).transpose(0, 3, 1, 2)
            inputs['imgs'] = torch.from_numpy(np.ascontiguousarray(images))
        if 'point_pixel_match' in results:
            inputs['pixels'] = torch.from_numpy(np.ascontiguousarray(results['point_pixel_match'].pixels))
        inputs.update(pack_pixels(results))

        sample = Det3DDataSample()
        if 'pts_semantic_mask' in results:
            mask = torch.from_numpy(np.ascontiguousarray(results['pts_semantic_mask'], dtype=np.int64))
            sample.gt_pts_seg = PointData(pts_semantic_mask=mask)
        if 'gt_sem_seg' in results:
            sample.gt_sem_seg = PixelData(sem_seg=torch.from_numpy(np.ascontiguousarray(results['gt_sem_seg'])))
        if 'gt_boxes_2d' in results:
            sample.gt_boxes_2d = results['gt_boxes_2d'].to('cpu')
        sample.eval_ann_info = results.get('eval_ann_info')
        metas = {}
        if 'cam_names' not in results and results.get('images'):
            metas = camera_geometry(results['images'], list(results['images']))
        metas.update({key: results[key] for key in self.meta_keys if key in results})
        sample.set_metainfo({key: metas[key] for key in self.meta_keys if key in metas})
        return {'inputs': inputs, 'data_samples': sample}


def valid_pixels(results: dict) -> np.ndarray:
    """``(M, 3)`` float32 of the pixels that lie somewhere, view by view and row by row."""
    return np.ascontiguousarray(results['pixel_xyz'][results['pixel_valid']])


def pack_pixels(results: dict) -> dict[str, torch.Tensor]:
    """Inputs of an RGB-D sample beside points and images, of those that there are.

    Returns:
        ``pixel_xyz`` ``(M, 3)`` float32 metres and ``pixel_index`` ``(M,)`` int64 ``(view * H + row) * W + column`` of
        the valid pixels; ``pixel_neighbours``, ``point_neighbours``, ``octants`` of :class:`FindNeighbours`;
        ``chunk_boxes`` ``(K, 4)`` float32 and ``chunk_views`` ``(K, V)`` int64 of a whole scan.
    """
    inputs = {}
    if 'pixel_xyz' in results:
        inputs['pixel_xyz'] = torch.from_numpy(valid_pixels(results))
        inputs['pixel_index'] = torch.from_numpy(np.flatnonzero(results['pixel_valid']))
    for key in ('pixel_neighbours', 'point_neighbours', 'octants'):
        if key in results:
            inputs[key] = results[key]
    if 'chunk_boxes' in results:
        # Boxes were computed from float32 coordinates: the nearest float32 still holds its points only if it is the
        # outer one.
        lower, upper = np.split(results['chunk_boxes'], 2, axis=1)
        lower = np.nextafter(lower.astype(np.float32), np.float32(-np.inf))
        upper = np.nextafter(upper.astype(np.float32), np.float32(np.inf))
        inputs['chunk_boxes'] = torch.from_numpy(np.concatenate([lower, upper], axis=1))
    if 'chunk_views' in results:
        inputs['chunk_views'] = torch.from_numpy(results['chunk_views'])
    return inputs
