"""The last step of a pipeline of pictures, or of their embeddings, with shapes."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...structures import ShapeSample

META_KEYS = (
    'sample_idx',
    'synset',
    'category',
    'model_id',
    'view',
    'azimuth',
    'elevation',
    'img_path',
    'mask_origin',
    'ori_shape',
    'img_shape',
)


@TRANSFORMS.register_module()
class PackShapeInputs(BaseTransform):
    """Pack a sample, as far as it was loaded.

    ``inputs`` holds ``img`` ``(3, H, W)`` uint8 as loaded (BGR), and ``embedding`` ``(D,)`` float32. ``data_samples``
    is a ``ShapeSample`` with ``gt_points`` ``(M, 3)`` float32 and ``gt_voxels`` ``(R, R, R)`` bool, and the meta
    information. A model that lacks something says so.

    Args:
        meta_keys: What to copy into the meta information, where present.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``.

        Raises:
            TypeError: ``img`` is not uint8.
        """
        inputs = {}
        if 'img' in results:
            image = results['img']
            if image.dtype != np.uint8:
                raise TypeError(f'img must be uint8, as it was loaded, got {image.dtype}: the model normalises it')
            inputs['img'] = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        if 'embedding' in results:
            inputs['embedding'] = torch.from_numpy(np.array(results['embedding'], dtype=np.float32))
        sample = ShapeSample(metainfo={key: results[key] for key in self.meta_keys if key in results})
        if 'gt_points' in results:
            sample.gt_points = torch.from_numpy(np.ascontiguousarray(results['gt_points'], dtype=np.float32))
        if 'gt_voxels' in results:
            sample.gt_voxels = torch.from_numpy(np.ascontiguousarray(results['gt_voxels'], dtype=bool))
        return {'inputs': inputs, 'data_samples': sample}
