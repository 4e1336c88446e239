"""The last step of a pipeline of single images with a mask, points or both."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BasePoints

from .followed_flips import MAPS, check_flip

META_KEYS = (
    'sample_idx',
    'img_path',
    'mask_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'mask_state',
    'num_foreground',
    'empty_points',
)


@TRANSFORMS.register_module()
class PackImageInputs(BaseTransform):
    """Pack a sample.

    ``inputs`` holds ``img`` ``(3, H, W)`` uint8 as loaded (BGR) and, where the sample has them, ``points`` ``(N, C)``
    float32. ``data_samples`` is a ``DataSample`` of MMPreTrain with ``gt_label`` where the sample has one, ``gt_mask``
    ``(1, H, W)`` uint8, 1 in the foreground, where it has a mask, and the meta information.

    Args:
        image_source: ``'original'``, or ``'segmented'``: the background is black (SIM-Net's SIPD and SSIPD).
        meta_keys: What to copy into the data sample's meta information, where present.
    """

    def __init__(self, image_source: str = 'original', meta_keys: Sequence[str] = META_KEYS) -> None:
        if image_source not in ('original', 'segmented'):
            raise ValueError(f"image_source must be 'original' or 'segmented', got {image_source!r}")
        self.image_source, self.meta_keys = image_source, tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``.

        Raises:
            ImportError: MMPreTrain is not installed.
            ValueError: The image is to be segmented and has no mask of its size, or it was flipped alone.
        """
        from mmpretrain.structures import DataSample  # the other systems do without MMPreTrain

        # mmdet3d flips its own kind of points with their image.
        if any(key in results for key in MAPS) or isinstance(results.get('points'), np.ndarray):
            check_flip(results)
        image, mask = results['img'], results.get('mask')
        if self.image_source == 'segmented':
            image = self._segment(image, mask, results)
        inputs = {'img': torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))}
        if 'points' in results:
            points = results['points']
            inputs['points'] = points.tensor if isinstance(points, BasePoints) else torch.from_numpy(points)
        sample = DataSample()
        if results.get('gt_label') is not None:
            sample.set_gt_label(results['gt_label'])
        if mask is not None:
            sample.set_field(torch.from_numpy((mask != 0).astype(np.uint8))[None], 'gt_mask', dtype=torch.Tensor)
        metas = {**results, 'img_shape': image.shape[:2]}
        sample.set_metainfo({key: metas[key] for key in self.meta_keys if key in metas})
        return {'inputs': inputs, 'data_samples': sample}

    def _segment(self, image: np.ndarray, mask: np.ndarray, results: dict) -> np.ndarray:
        if mask is None or mask.shape != image.shape[:2]:
            held = 'no mask' if mask is None else f'a mask of {mask.shape} for an image of {image.shape[:2]}'
            raise ValueError(f"{results.get('img_path')} has {held}: image_source='segmented' needs one of its size")
        return np.where((mask != 0)[..., None], image, np.zeros((), image.dtype))
