"""Augmentation of sweeps, with 2DPASS's parameters as defaults (its appendix and code; see docs in each class)."""

from __future__ import annotations

import zlib
from typing import Optional, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...ops.voxels import in_volume
from .arguments import check_number, check_range
from .per_point import rotation_about_z, select_points, transform_sweep, translation


@TRANSFORMS.register_module()
class DropPoints(BaseTransform):
    """Drop a random share of the points.

    Args:
        max_ratio: The share is drawn from ``U(0, max_ratio)``.
        mode: ``'remove'`` takes the points out. ``'replace'`` puts copies of point 0 with its label in their place, as
            2DPASS does; the number of points then stays, but the copies count in the loss.
    """

    def __init__(self, max_ratio: float = 0.2, mode: str = 'remove') -> None:
        if mode not in ('remove', 'replace'):
            raise ValueError(f"mode must be 'remove' or 'replace', got {mode!r}")
        check_number('max_ratio', max_ratio, 0, 1)
        if max_ratio == 1:
            raise ValueError('max_ratio must be below 1: all points could be dropped')
        self.max_ratio, self.mode = max_ratio, mode

    def transform(self, results: dict) -> dict:
        """Drop points with their labels and matches; at least one remains."""
        count = len(results['points'])
        keep = np.random.random(count) >= np.random.uniform(0, self.max_ratio)
        if not keep.any():
            keep[np.random.randint(count)] = True
        index = np.flatnonzero(keep) if self.mode == 'remove' else np.where(keep, np.arange(count), 0)
        return select_points(results, index)


@TRANSFORMS.register_module()
class RandomSweepTransform(BaseTransform):
    """Rotate, flip, scale and shift a sweep at random, in this order.

    The product of all steps is recorded as ``lidar_aug_matrix``; pixel matches stay, since they belong to the points.

    Args:
        rotation: Range of the rotation about the vertical axis in degrees.
        flip: Draw none, x, y or both with equal probability.
        scale_xy: Range of the factor on x and y (z stays).
        translation_std: Standard deviation of the shift along each axis in metres.
    """

    def __init__(
        self,
        rotation: tuple[float, float] = (0.0, 360.0),
        flip: bool = True,
        scale_xy: tuple[float, float] = (0.95, 1.05),
        translation_std: float = 0.1,
    ) -> None:
        check_range('rotation', rotation)
        check_range('scale_xy', scale_xy, above=0)
        check_number('translation_std', translation_std, 0)
        self.rotation, self.flip, self.scale_xy, self.translation_std = rotation, flip, scale_xy, translation_std

    def transform(self, results: dict) -> dict:
        """Move ``points`` and update ``lidar_aug_matrix``."""
        rotate = rotation_about_z(np.deg2rad(np.random.uniform(*self.rotation)))
        signs = np.random.choice([-1.0, 1.0], size=2) if self.flip else np.ones(2)
        factor = np.random.uniform(*self.scale_xy)
        shift = translation(np.random.normal(0, self.translation_std, 3))
        return transform_sweep(results, shift @ np.diag([*(signs * factor), 1.0, 1.0]) @ rotate)


@TRANSFORMS.register_module()
class VoteRotTrans(BaseTransform):
    """One vote of test-time augmentation: a rotation about the vertical axis and a shift, the same in every run.

    2DPASS draws 12 unseeded votes with ``U(0, 360)`` degrees and ``N(0, 0.1)`` metres; here a vote depends on ``seed``,
    ``vote`` and the sample's token alone, not on the order of samples, the number of workers or ranks.

    Args:
        vote: Number of the vote.
        seed: Common to all votes of a run.
        rotation: Range in degrees.
        translation_std: Standard deviation of the shift along each axis in metres.
    """

    def __init__(
        self,
        vote: int,
        seed: int = 0,
        rotation: tuple[float, float] = (0.0, 360.0),
        translation_std: float = 0.1,
    ) -> None:
        check_number('vote', vote, 0)
        check_number('seed', seed, 0)
        check_range('rotation', rotation)
        check_number('translation_std', translation_std, 0)
        self.vote, self.seed, self.rotation, self.translation_std = vote, seed, rotation, translation_std

    def transform(self, results: dict) -> dict:
        """Move ``points`` and update ``lidar_aug_matrix``; no point is dropped."""
        sample = zlib.crc32(str(results.get('token', results.get('sample_idx'))).encode())
        random = np.random.default_rng([self.seed, self.vote, sample])
        rotate = rotation_about_z(np.deg2rad(random.uniform(*self.rotation)))
        return transform_sweep(results, translation(random.normal(0, self.translation_std, 3)) @ rotate)


@TRANSFORMS.register_module()
class PointsInVolume(BaseTransform):
    """Keep the points that the network's voxel volume holds; for training, after the augmentation.

    Args:
        lower: Least corner of the volume in metres (2DPASS on nuScenes: -50, -50, -4).
        upper: Greatest corner (2DPASS on nuScenes: 50, 50, 3).
    """

    def __init__(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        if not (len(lower) == len(upper) == 3 and all(low < high for low, high in zip(lower, upper))):
            raise ValueError(f'lower and upper must be corners x, y, z with lower < upper, got {lower} and {upper}')
        self.lower, self.upper = tuple(lower), tuple(upper)

    def transform(self, results: dict) -> Optional[dict]:
        """Keep points, labels and matches inside; None when nothing is left, so that another sample is drawn."""
        inside = in_volume(results['points'].tensor[:, :3], self.lower, self.upper).numpy()
        return select_points(results, inside) if inside.any() else None
