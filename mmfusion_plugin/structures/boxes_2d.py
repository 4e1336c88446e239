"""The 2D boxes of a sample, annotated or detected: objects as the cameras see them, with masks where there are some."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Optional, Sequence

import numpy as np
import torch

from .point_pixel_match import Array, copy_array


@dataclass
class Boxes2D:
    """K axis-aligned boxes in the V images of one sample; all methods return new objects.

    Positions follow the convention of :class:`PointPixelMatch` (pixel centres at integer coordinates), so a point
    lies in a box when its pixel satisfies ``x1 <= u <= x2`` and ``y1 <= v <= y2`` in the box's view and the cell of its
    mask is set: :meth:`contains`. A box cut off by the image ends at the image's edge, -0.5 or ``width - 0.5``
    (``height - 0.5``); nuScenes' devkit, and with it the info files, end it at 0 or ``width``, which ``LoadBoxes2D``
    converts. Fields are numpy arrays in the data pipeline and tensors after packing.

    Attributes:
        xyxy: ``(K, 4)`` float32 ``[x1, y1, x2, y2]`` in pixels of the image as it is now.
        category: ``(K,)`` int64 fine category (nuScenes: 0..31, adult and child apart).
        label: ``(K,)`` int64 class (nuScenes: 0..15, 16 ignored).
        visibility: ``(K,)`` int64; 1: 0-40 %, 2: 40-60 %, 3: 60-80 %, 4: 80-100 % of the object is visible over all
            cameras, 0: unknown.
        truncation: ``(K,)`` float32 share of the projected box outside the image, 0..1.
        view: ``(K,)`` int64 position of the box's image among those loaded.
        depth: ``(K,)`` float32 distance of the object's centre along the optical axis in metres; 0: unknown.
        mask: ``(K, S, S)`` bool, the object's shape in its box: S rows from y1 to y2, S columns from x1 to x2. The cell
            of a pixel is ``floor((u - x1) / (x2 - x1) * S)``, at ``u = x2`` the last one; rows alike. None, the
            default, becomes ``(K, 1, 1)`` True: whole boxes.
    """

    xyxy: Array
    category: Array
    label: Array
    visibility: Array
    truncation: Array
    view: Array
    depth: Array
    mask: Optional[Array] = None

    def __post_init__(self) -> None:
        if self.xyxy.ndim != 2 or self.xyxy.shape[-1] != 4:
            raise ValueError(f'xyxy must have shape (K, 4), got {tuple(self.xyxy.shape)}')
        if self.mask is None:
            whole = np.ones((len(self.xyxy), 1, 1), dtype=bool)
            is_tensor = isinstance(self.xyxy, torch.Tensor)
            self.mask = torch.from_numpy(whole).to(self.xyxy.device) if is_tensor else whole
        if self.mask.ndim != 3 or self.mask.shape[1] != self.mask.shape[2] or not self.mask.shape[1]:
            raise ValueError(f'mask must have shape (K, S, S), got {tuple(self.mask.shape)}')
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
        """All boxes of ``parts`` in order (numpy or tensors, not mixed); no part gives no boxes.

        Raises:
            ValueError: Masks of two sizes; whole boxes (S = 1) go with any.
        """
        if not parts:
            return Boxes2D.empty()
        sizes = {part.mask.shape[-1] for part in parts} - {1}
        if len(sizes) > 1:
            raise ValueError(f'masks of sizes {sorted(sizes)} in one batch: give LoadBoxes2D one mask_size everywhere')
        if sizes:
            parts = [replace(part, mask=_enlarge(part.mask, *sizes)) for part in parts]
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
        return replace(self, xyxy=xyxy)

    def flip_horizontal(self, view: int, width: int) -> Boxes2D:
        """Boxes after the image of one view, ``width`` pixels wide, was mirrored left to right."""
        xyxy, here = copy_array(self.xyxy), self.view == view
        xyxy[here, 0] = (width - 1) - self.xyxy[here, 2]
        xyxy[here, 2] = (width - 1) - self.xyxy[here, 0]
        mask, mirrored = copy_array(self.mask), list(range(self.mask.shape[-1]))[::-1]
        mask[here] = self.mask[here][:, :, mirrored]
        return replace(self, xyxy=xyxy, mask=mask)

    def contains(self, box: Array, pixels: Array) -> Array:
        """Whether pixels lie in boxes, pair by pair.

        Args:
            box: ``(P,)`` int64 rows of boxes.
            pixels: ``(P, 2)`` ``[u, v]``; the views are not compared.

        Returns:
            ``(P,)`` bool: within the sides, which belong to the box, and in a set cell of the mask.
        """
        sides, u, v = self.xyxy[box], pixels[:, 0], pixels[:, 1]
        x1, y1, x2, y2 = (sides[:, i] for i in range(4))
        inside = (x1 <= u) & (u <= x2) & (y1 <= v) & (v <= y2)
        size = self.mask.shape[-1]
        return inside & self.mask[box, _cell(v, y1, y2, size), _cell(u, x1, x2, size)]

    def to(self, *args: Any, **kwargs: Any) -> Boxes2D:
        """Tensor version on a device, as ``torch.Tensor.to``; a floating dtype changes the floating fields only."""
        return Boxes2D(*(_to(getattr(self, field.name), *args, **kwargs) for field in fields(self)))


def _cell(position: Array, first: Array, last: Array, size: int) -> Array:
    """``(P,)`` int64 cell 0..size - 1 of positions; those outside get the nearest one."""
    extent = last - first
    extent = extent + (extent <= 0)  # a box without extent has one position, which lies in cell 0
    cell = ((position - first) / extent * size).clip(0, size - 1)
    return cell.long() if isinstance(cell, torch.Tensor) else cell.astype(np.int64)


def _enlarge(mask: Array, size: int) -> Array:
    """Whole boxes ``(K, 1, 1)`` as ``(K, size, size)``; masks of that size as they are."""
    return mask if mask.shape[-1] == size else mask[:, [0] * size][:, :, [0] * size]


def _to(array: Array, *args: Any, **kwargs: Any) -> torch.Tensor:
    tensor = torch.as_tensor(array)
    if tensor.is_floating_point():
        return tensor.to(*args, **kwargs)
    args = tuple(arg for arg in args if not isinstance(arg, torch.dtype))
    return tensor.to(*args, **{key: value for key, value in kwargs.items() if key != 'dtype'})
