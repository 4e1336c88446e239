"""Cutting an image to the object that its mask shows."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from .followed_flips import MAPS


@TRANSFORMS.register_module()
class CropToMask(BaseTransform):
    """Crop ``img``, ``mask`` and ``depth_map`` to the box of the mask, with a margin. Empty masks leave all as it is.

    Args:
        margin: On each side, as a share of the box's longer side.
    """

    def __init__(self, margin: float = 0.1) -> None:
        if margin < 0:
            raise ValueError(f'margin must not be negative, got {margin}')
        self.margin = margin

    def transform(self, results: dict) -> dict:
        """Crop, and change ``img_shape``; the crop (left, top, right, bottom) (pixels) is noted in ``mask_crop``."""
        mask = results['mask']
        columns, rows = mask.any(axis=0).nonzero()[0], mask.any(axis=1).nonzero()[0]
        if not len(rows):
            return results
        (left, right), (top, bottom) = ((int(side[0]), int(side[-1]) + 1) for side in (columns, rows))
        margin = int(round(self.margin * max(right - left, bottom - top)))
        height, width = mask.shape
        box = (max(left - margin, 0), max(top - margin, 0), min(right + margin, width), min(bottom + margin, height))
        for key in ('img', *MAPS):
            if key in results:
                results[key] = results[key][box[1] : box[3], box[0] : box[2]]
        results['img_shape'], results['mask_crop'] = results['img'].shape[:2], box
        return results
