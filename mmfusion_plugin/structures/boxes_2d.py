"""The 2D boxes of a sample: annotated objects as the cameras see them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Sequence

import numpy as np
import torch

from .point_pixel_match import Array, copy_array


@dataclass
class Boxes2D:
    """K axis-aligned boxes in the V images of one sample; all methods return new objects.

    Positions follow the convention of :class:`PointPixelMatch` (pixel centres at integer coordinates), so a point
    lies in a box when its pixel satisfies ``x1 <= u <= x2`` and ``y1 <= v <= y2`` in the box's view. A box cut off by
    the image ends at the image's edge, -0.5 or ``width - 0.5`` (``height - 0.5``); nuScenes' devkit, and with it the
    info files, end it at 0 or ``width``, which ``LoadBoxes2D`` converts. Fields are numpy arrays in the data pipeline
    and tensors after packing.

    Attributes:
        xyxy: ``(K, 4)`` float32 ``[x1, y1, x2, y2]`` in pixels of the image as it is now.
        category: ``(K,)`` int64 fine category (nuScenes: 0..31, adult and child apart).
        label: ``(K,)`` int64 class (nuScenes: 0..15, 16 ignored).
        visibility: ``(K,)`` int64; 1: 0-40 %, 2: 40-60 %, 3: 60-80 %, 4: 80-100 % of the object is visible over all
            cameras, 0: unknown.
        truncation: ``(K,)`` float32 share of the projected box outside the image, 0..1.
        view: ``(K,)`` int64 position of the box's image among those loaded.
        depth: ``(K,)`` float32 distance of the object's centre along the optical axis in metres.
    """

    xyxy: Array
    category: Array
    label: Array
    visibility: Array
    truncation: Array
    view: Array
    depth: Array

    def __post_init__(self) -> None:
        if self.xyxy.ndim != 2 or self.xyxy.shape[-1] != 4:
            raise ValueError(f'xyxy must have shape (K, 4), got {tuple(self.xyxy.shape)}')
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f'all fields must have one entry per box, got lengths {lengths}')

    @classmethod
    def empty(cls) -> Boxes2D:
        """No boxes."""
        ints, floats = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return cls(np.zeros((0, 4), np.float32), ints, ints.copy(), ints.copy(), floats, ints.copy(), floats.copy())

    @staticmethod
    def concatenate(parts: Sequence[Boxes2D]) -> Boxes2D:
        """All boxes of ``parts`` in order (numpy or tensors, not mixed); no part gives no boxes."""
        if not parts:
            return Boxes2D.empty()
        join = torch.cat if isinstance(parts[0].xyxy, torch.Tensor) else np.concatenate
        return Boxes2D(*(join([getattr(part, field.name) for part in parts]) for field in fields(Boxes2D)))

    def __len__(self) -> int:
        return len(self.xyxy)

    def select(self, index: Any) -> Boxes2D:
        """Boxes chosen by a boolean mask or an index."""
        return Boxes2D(*(getattr(self, field.name)[index] for field in fields(self)))

    def resize(self, scale_u: float, scale_v: float) -> Boxes2D:
        """Boxes after the images were resized by ``scale_u`` (width) and ``scale_v`` (height)."""
        xyxy = copy_array(self.xyxy)
        xyxy[:, 0::2] = (xyxy[:, 0::2] + 0.5) * scale_u - 0.5
        xyxy[:, 1::2] = (xyxy[:, 1::2] + 0.5) * scale_v - 0.5
        return self._with_xyxy(xyxy)

    def flip_horizontal(self, view: int, width: int) -> Boxes2D:
        """Boxes after the image of one view, ``width`` pixels wide, was mirrored left to right."""
        xyxy, here = copy_array(self.xyxy), self.view == view
        xyxy[here, 0] = (width - 1) - self.xyxy[here, 2]
        xyxy[here, 2] = (width - 1) - self.xyxy[here, 0]
        return self._with_xyxy(xyxy)

    def to(self, *args: Any, **kwargs: Any) -> Boxes2D:
        """Tensor version on a device, as ``torch.Tensor.to``; a floating dtype changes the floating fields only."""
        return Boxes2D(*(_to(getattr(self, field.name), *args, **kwargs) for field in fields(self)))

    def _with_xyxy(self, xyxy: Array) -> Boxes2D:
        others = (getattr(self, field.name) for field in fields(self) if field.name != 'xyxy')
        return Boxes2D(xyxy, *others)


def _to(array: Array, *args: Any, **kwargs: Any) -> torch.Tensor:
    tensor = torch.as_tensor(array)
    if tensor.is_floating_point():
        return tensor.to(*args, **kwargs)
    args = tuple(arg for arg in args if not isinstance(arg, torch.dtype))
    return tensor.to(*args, **{key: value for key, value in kwargs.items() if key != 'dtype'})
