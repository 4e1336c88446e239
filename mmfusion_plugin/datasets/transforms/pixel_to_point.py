"""SIM-Net's transform: foreground pixels of an image as points."""

from __future__ import annotations

import zlib
from typing import Any, Optional

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthPoints

from ...ops.pixel_to_point import pixel_to_point
from ..tally import Tally, sample_name
from .followed_flips import MAPS, check_flip, note_flip


@TRANSFORMS.register_module()
class PixelToPoint(BaseTransform):
    """Make ``points`` of the foreground of ``img``, by :func:`mmfusion_plugin.ops.pixel_to_point.pixel_to_point`.

    It belongs behind everything that moves pixels, so that image and points agree, and ahead of normalisation. Ahead of
    changes of colour, the points keep the colours of the photograph; behind them, they change along.

    Args:
        num_points: Points of a cloud (the paper: 1024, in an ablation 102); None takes each foreground pixel once.
        foreground: ``'mask'``, or ``'nonblack'``: pixels of the masked image that are not black (the paper).
        normalize: ``'image'`` (x right, y up, within -1..1, z 0..1), ``'none'`` or ``'unit_sphere'``.
        z_mode: ``'mean_rgb'`` (the paper), ``'zero'`` (its ablation), ``'gray'``, or ``'depth'`` from ``depth_map``.
        features: ``'xyz'``, or ``'xyzrgb'`` with red, green and blue in 0..1 (the paper's 6-D variant).
        sampling: ``'random'`` or ``'fps'`` (farthest points among eight times as many random ones).
        channel_order: Of ``img``, ``'bgr'`` as mmcv loads it, or ``'rgb'``.
        seed: None draws other points each time, for training. A number draws the same of a sample each time, from this
            number and ``sample_idx`` (without one, the sample's ``img_path``), for testing.
        as_base_points: Make ``points`` a ``DepthPoints``, which the transforms and packers of mmdet3d take; what they
            turn about the vertical axis turns in the image plane.
    """

    def __init__(
        self,
        num_points: Optional[int] = 1024,
        foreground: str = 'mask',
        normalize: str = 'image',
        z_mode: str = 'mean_rgb',
        features: str = 'xyz',
        sampling: str = 'random',
        channel_order: str = 'bgr',
        seed: Optional[int] = None,
        as_base_points: bool = False,
    ) -> None:
        if seed is not None and (not isinstance(seed, int) or seed < 0):
            raise ValueError(f'seed must be None or a whole number from 0, got {seed!r}')
        self.options: dict[str, Any] = dict(
            num_points=num_points,
            foreground=foreground,
            normalize=normalize,
            z_mode=z_mode,
            features=features,
            sampling=sampling,
            channel_order=channel_order,
        )
        # A wrong option is an error here, not at the first sample.
        pixel_to_point(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.uint8), np.zeros((1, 1)), **self.options)
        self.seed, self.as_base_points = seed, as_base_points
        self.tally = Tally()

    def transform(self, results: dict) -> dict:
        """Add ``points`` ``(N, 3)`` or ``(N, 6)`` float32, ``point_pixels`` ``(N, 2)`` int64 (column and row in
        ``img``, -1 in an empty cloud), ``num_foreground`` and ``empty_points`` (no foreground: all points are zeros).

        Raises:
            TypeError: ``img`` is not uint8.
            ValueError: ``mask`` or ``depth_map`` is needed and missing, or has another size than ``img``, or was not
                flipped with it.
        """
        if any(key in results for key in MAPS):
            check_flip(results)
        mask, depth = results.get('mask'), results.get('depth_map')
        try:
            cloud = pixel_to_point(results['img'], mask, depth, rng=self._rng(results), **self.options)
        except (TypeError, ValueError) as error:
            raise type(error)(f'{sample_name(results)}: {error}') from error
        results['point_pixels'], results['num_foreground'] = cloud.pixels, cloud.num_foreground
        results['empty_points'] = not cloud.num_foreground
        if results['empty_points']:
            self.tally.add('images have no foreground: their points are zeros', sample_name(results))
        results['points'] = self._base_points(cloud.points) if self.as_base_points else cloud.points
        note_flip(results)
        return results

    def _rng(self, results: dict) -> np.random.Generator:
        if self.seed is None:
            # From numpy's global state, which the launchers seed in each process that loads data.
            return np.random.default_rng(np.random.randint(2**31, size=4))
        index = results.get('sample_idx', results.get('img_path', 0))
        whole = isinstance(index, (int, np.integer)) and index >= 0
        number = index if whole else zlib.crc32(str(index).encode())
        return np.random.default_rng([self.seed, int(number)])

    def _base_points(self, points: np.ndarray) -> DepthPoints:
        dims = dict(color=[3, 4, 5]) if points.shape[1] == 6 else None
        return DepthPoints(torch.from_numpy(points), points_dim=points.shape[1], attribute_dims=dims)
