"""A picture of an object, its true shape, and the shape predicted from the picture."""

from __future__ import annotations

import re
from typing import Union

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor

Array = Union[Tensor, np.ndarray]


def _field(name: str, layout: str) -> property:
    """A data field of a fixed layout, such as ``(N, 3)``, ``(D,)`` or ``()``: letters are any size."""
    sizes = [int(size) if size.isdigit() else None for size in re.findall(r'\w+', layout)]

    def _get(self: BaseDataElement) -> Array:
        return getattr(self, f'_{name}')

    def _put(self: BaseDataElement, value: Array) -> None:
        shape = tuple(value.shape) if isinstance(value, (Tensor, np.ndarray)) else type(value).__name__
        fits = not isinstance(shape, str) and len(shape) == len(sizes)
        if not fits or any(size not in (None, found) for size, found in zip(sizes, shape)):
            raise ValueError(f'{name} must have shape {layout}, got {shape}')
        self.set_field(value, f'_{name}', dtype=(Tensor, np.ndarray))

    def _remove(self: BaseDataElement) -> None:
        delattr(self, f'_{name}')

    return property(_get, _put, _remove)


class ShapeSample(BaseDataElement):
    """What belongs to one image besides its pixels.

    Clouds are in the frame and the unit of the dataset's shapes (ShapeNet: about [-0.5, 0.5], y up). A field that was
    not set is missing: ask with ``'gt_points' in sample`` or ``sample.get('gt_points')``.

    Attributes:
        gt_points: (M, 3) float32, points on the true surface.
        gt_voxels: (R, R, R) bool, the true shape as voxels.
        pred_points: (N, 3) float32, the predicted cloud.
        pred_samples: (S, N, 3) float32, clouds drawn from the predicted distribution; only where S > 1.
        pred_voxels: (K, R, R, R) bool, K shapes as voxels.
        pred_image_embedding: (D,) floating, the image in the space that it shares with shapes; not normalised.
        pred_shape_embedding: (D,) floating, the shape in the same space; not normalised.
        noise_error: () floating, mean squared error of the noise that a diffusion model finds in the noised true shape.

    The metainfo has ``synset`` (WordNet id of the category), ``category`` (its name), ``model_id``, ``view`` (int),
    ``azimuth`` of the camera in radians (float; absent or None where unknown) and ``img_path``.

    Raises:
        ValueError: A field is set to another shape.
    """

    gt_points = _field('gt_points', '(M, 3)')
    gt_voxels = _field('gt_voxels', '(R, R, R)')
    pred_points = _field('pred_points', '(N, 3)')
    pred_samples = _field('pred_samples', '(S, N, 3)')
    pred_voxels = _field('pred_voxels', '(K, R, R, R)')
    pred_image_embedding = _field('pred_image_embedding', '(D,)')
    pred_shape_embedding = _field('pred_shape_embedding', '(D,)')
    noise_error = _field('noise_error', '()')
