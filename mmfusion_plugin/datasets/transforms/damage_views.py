"""Views that are missing, black, swapped, misaligned or full of holes, to measure what a model makes of them."""

from __future__ import annotations

import zlib
from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from .arguments import check_number

HOLE_SIZE = 0.05
"""Standard deviation of the smoothing in :func:`depth_holes` as a share of the image's width: 8 pixels of 160."""


@TRANSFORMS.register_module()
class DamageViews(BaseTransform):
    """Damage the views of a scan or of a chunk of it; between ``LoadViews`` and ``UnprojectViews``.

    The random numbers of a view depend on ``seed``, the scan's name and the frame's number alone, not on the order of
    samples or the number of workers, and greater values add to the damage of smaller ones. Of V views, ``share * V``
    are hit, rounded up or down so that the mean over scans is exact. A view may be hit in several ways; the damages
    are applied in the order of the arguments. Views that are missing already (-1 in ``views``) stay so and do not
    count. Which views are loaded stays: they were chosen by what they see.

    Args:
        swap: Share of views that show the image, and have its labels, of another view of the sample; depth and pose
            stay. A view without another one stays.
        black: Share of views whose image is black and has no labels; depth and pose stay.
        drop: Share of views that go missing: as ``black``, and no depth.
        pose_translation: Standard deviation, in metres along each axis, of an error of each camera's position.
        pose_rotation: Standard deviation, in degrees about each axis, of an error of each camera's orientation.
        depth_holes: Share of the measured pixels of each view that lose their depth, in blobs.
        seed: Common to all scans; None draws anew each time, from numpy's global generator (for training).
        ignore_index: Label of pixels that show nothing.

    Raises:
        ValueError: A share outside 0..1, or a negative standard deviation.
    """

    def __init__(
        self,
        swap: float = 0.0,
        black: float = 0.0,
        drop: float = 0.0,
        pose_translation: float = 0.0,
        pose_rotation: float = 0.0,
        depth_holes: float = 0.0,
        seed: Optional[int] = 0,
        ignore_index: int = 20,
    ) -> None:
        for name, share in (('swap', swap), ('black', black), ('drop', drop), ('depth_holes', depth_holes)):
            check_number(name, share, 0, 1)
        for name, deviation in (('pose_translation', pose_translation), ('pose_rotation', pose_rotation)):
            check_number(name, deviation, 0)
        if seed is not None:
            check_number('seed', seed, 0)
        self.swap, self.black, self.drop = swap, black, drop
        self.pose_translation, self.pose_rotation, self.depth_holes = pose_translation, pose_rotation, depth_holes
        self.seed, self.ignore_index = seed, ignore_index

    def transform(self, results: dict) -> dict:
        """Change ``img`` and, where they were loaded, ``gt_sem_seg``, ``depth`` (V, H, W), ``cam2world`` (V, 4, 4)."""
        scan, frames = self._scan(results), _frames(results)
        if not frames:
            return results
        views = np.array(list(frames))
        # Not the number itself: numpy's generators of [a, b] and [a, b, 0] are the same.
        draws = [np.random.default_rng([*scan, 1 + frame]) for frame in frames.values()]
        rounding = np.random.default_rng(scan).random(3)
        chances = np.array([draw.random(4) for draw in draws])
        errors = np.array([draw.standard_normal(6) for draw in draws])
        swapped, black, dropped = (
            views[_chosen(share, chance, shift)]
            for share, chance, shift in zip((self.swap, self.black, self.drop), chances.T, rounding)
        )
        shown = np.arange(len(results['img']))
        shown[swapped] = _others(views, chances[:, 3])[np.searchsorted(views, swapped)]
        blank = np.union1d(black, dropped)
        results['img'] = [np.zeros_like(results['img'][source]) if view in blank else results['img'][source]
                          for view, source in enumerate(shown)]
        if 'gt_sem_seg' in results:
            results['gt_sem_seg'] = results['gt_sem_seg'][shown]
            results['gt_sem_seg'][blank] = self.ignore_index
        if 'depth' in results:
            results['depth'] = depth = results['depth'].copy()
            depth[dropped] = 0
            for view, draw in zip(views, draws) if self.depth_holes else ():
                depth[view][depth_holes(depth[view], self.depth_holes, draw)] = 0
        if 'cam2world' in results:
            results['cam2world'] = poses = results['cam2world'].copy()
            shifts, turns = errors[:, :3] * self.pose_translation, errors[:, 3:] * self.pose_rotation
            poses[views] = moved_cameras(poses[views], shifts, turns)
        return results

    def _scan(self, results: dict) -> list[int]:
        """What all draws of a scan have in common."""
        if self.seed is None:
            return [int(np.random.randint(2**31))]
        return [self.seed, zlib.crc32(str(results['scan_id']).encode())]


def moved_cameras(cam2world: np.ndarray, shifts: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Poses with an error.

    Args:
        cam2world: (V, 4, 4) camera to world.
        shifts: (V, 3) metres by which each camera moves along its own axes.
        turns: (V, 3) degrees by which it turns about its own centre (a rotation vector in its own frame).

    Returns:
        (V, 4, 4) as ``cam2world``; without errors exactly the same.
    """
    error = np.tile(np.eye(4), (len(cam2world), 1, 1))
    error[:, :3, :3] = Rotation.from_rotvec(turns, degrees=True).as_matrix()
    error[:, :3, 3] = shifts
    wrong = (shifts != 0).any(1) | (turns != 0).any(1)
    return np.where(wrong[:, None, None], cam2world @ error, cam2world).astype(cam2world.dtype)


def depth_holes(depth: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Blobs that hide a share of the measured pixels: the highest places of smoothed noise.

    Args:
        depth: (H, W) metres, 0 where nothing was measured.
        share: 0..1.
        generator: Source of the noise.

    Returns:
        (H, W) bool; the number of measured pixels inside is ``share`` of all, rounded.
    """
    field = gaussian_filter(generator.standard_normal(depth.shape), HOLE_SIZE * depth.shape[1], mode='wrap')
    measured = np.flatnonzero(depth > 0)
    highest = measured[np.argsort(-field.ravel()[measured], kind='stable')[: round(share * len(measured))]]
    hidden = np.zeros(depth.size, bool)
    hidden[highest] = True
    return hidden.reshape(depth.shape)


def _frames(results: dict) -> dict[int, int]:
    """Number of the frame in each view that is not missing already."""
    numbers = results.get('rgbd', {}).get('frames')
    chosen = enumerate(np.asarray(results.get('views', range(len(results['img'])))).tolist())
    return {view: frame if numbers is None else int(numbers[frame]) for view, frame in chosen if frame >= 0}


def _chosen(share: float, chance: np.ndarray, rounding: float) -> np.ndarray:
    """Positions of the views with the lowest ``chance`` (V,), ``share * V`` of them; ``rounding`` in [0, 1)."""
    return np.sort(np.argsort(chance, kind='stable')[: int(np.floor(share * len(chance) + rounding))])


def _others(views: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """For each of ``views`` (V,), sorted, another one of them; itself where there is none."""
    steps = 1 + np.floor(chance * (len(views) - 1)).astype(int)
    return views[(np.arange(len(views)) + steps) % len(views)]
