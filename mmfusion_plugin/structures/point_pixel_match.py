"""Where each LiDAR point is seen in each camera view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence, Union

import numpy as np
import torch

from ..ops.projection import in_image, project_points

Array = Union[np.ndarray, torch.Tensor]

UNSEEN = -1.0
# A seen pixel centre lies at -0.5 or more, an unseen one at exactly -1: any threshold in between separates them.
_SEEN_ABOVE = -0.75


def copy_array(array: Array) -> Array:
    """Copy of a numpy array or a tensor."""
    return array.clone() if isinstance(array, torch.Tensor) else array.copy()


@dataclass
class PointPixelMatch:
    """Lookup from point ``i`` and view ``v`` to a pixel position; computed once on the un-augmented sweep.

    Row ``i`` belongs to ``points[i]``, always: whatever filters or reorders points calls :meth:`select` with the same
    index. Pixel centres lie at integer coordinates, so that a visible pixel has ``-0.5 <= u < width - 0.5`` and
    ``-0.5 <= v < height - 0.5``. All methods return new objects.

    Attributes:
        pixels: ``(N, V, 2)`` float32 ``[u, v]`` in pixels; ``-1, -1`` where the view does not see the point.
            A numpy array in the data pipeline, a tensor after packing.
    """

    pixels: Array

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[-1] != 2:
            raise ValueError(f'pixels must have shape (N, V, 2), got {tuple(self.pixels.shape)}')

    @classmethod
    def project(
        cls,
        xyz: np.ndarray,
        lidar2cam: Sequence[np.ndarray],
        cam2img: Sequence[np.ndarray],
        sizes: Sequence[tuple[int, int]],
        min_depth: float = 0.0,
    ) -> PointPixelMatch:
        """Look up points in V views, in float64 and without a test for occlusion.

        Args:
            xyz: ``(N, 3)`` in metres in the frame of the LiDAR as recorded.
            lidar2cam: V matrices ``(4, 4)`` into the cameras' frames at the times of their images.
            cam2img: V intrinsic matrices ``(3, 3)`` or ``(4, 4)``.
            sizes: Height and width of each image in pixels.
            min_depth: Points at most this deep (metres along the optical axis) are unseen.

        Raises:
            ValueError: A shape is wrong, or the arguments have different numbers of views.
        """
        if not len(lidar2cam) == len(cam2img) == len(sizes):
            raise ValueError(
                f'one matrix of each kind and one size per view, got {len(lidar2cam)}, {len(cam2img)}, {len(sizes)}'
            )
        exact = np.asarray(xyz, dtype=np.float64)
        pixels = np.full((len(exact), len(sizes), 2), UNSEEN, dtype=np.float32)
        for view, (height, width) in enumerate(sizes):
            uv, depth = project_points(exact, lidar2cam[view], cam2img[view])
            seen = in_image(uv, depth, height, width, min_depth)
            pixels[seen, view] = uv[seen]
        return cls(pixels)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def num_views(self) -> int:
        """Number of views V."""
        return self.pixels.shape[1]

    @property
    def visible(self) -> Array:
        """``(N, V)`` bool: the view sees the point."""
        return self.pixels[..., 0] > _SEEN_ABOVE

    def select(self, index: Any) -> PointPixelMatch:
        """Rows of the points chosen by a boolean mask or an index ``(M,)``."""
        return PointPixelMatch(self.pixels[index])

    def select_views(self, index: Any) -> PointPixelMatch:
        """Columns of the views chosen by an index ``(W,)``."""
        return PointPixelMatch(self.pixels[:, index])

    def resize(self, scale_u: float, scale_v: float) -> PointPixelMatch:
        """Positions after the images were resized by ``scale_u`` (width) and ``scale_v`` (height)."""
        pixels, seen = copy_array(self.pixels), self.visible
        for axis, scale in enumerate((scale_u, scale_v)):
            pixels[..., axis][seen] = (pixels[..., axis][seen] + 0.5) * scale - 0.5
        return PointPixelMatch(pixels)

    def flip_horizontal(self, view: int, width: int) -> PointPixelMatch:
        """Positions after the image of one view, ``width`` pixels wide, was mirrored left to right."""
        pixels, seen = copy_array(self.pixels), self.visible[:, view]
        pixels[:, view, 0][seen] = (width - 1) - pixels[:, view, 0][seen]
        return PointPixelMatch(pixels)

    def to(self, *args: Any, **kwargs: Any) -> PointPixelMatch:
        """Tensor version on a device or of a dtype, as ``torch.Tensor.to``."""
        return PointPixelMatch(torch.as_tensor(self.pixels).to(*args, **kwargs))
