"""Iterative closest point: the rotation and translation that lay one cloud onto another, without correspondences."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .neighbours import knn

ALIGNMENTS = ('icp', 'icp_legacy', 'none')


class RigidTransform(NamedTuple):
    """``y = R x + t``, on points as rows ``y = x R^T + t``.

    Attributes:
        rotation: (..., 3, 3), determinant 1.
        translation: (..., 3), in the unit of the points.
    """

    rotation: Tensor
    translation: Tensor

    def apply(self, points: Tensor) -> Tensor:
        """Transform points (..., N, 3), of any floating dtype."""
        rotation, translation = self.rotation.to(points.dtype), self.translation.to(points.dtype)
        return points @ rotation.transpose(-1, -2) + translation[..., None, :]

    def inverse(self) -> RigidTransform:
        """The way back, ``x = R^T (y - t)``."""
        back = self.rotation.transpose(-1, -2)
        return RigidTransform(back, -(back @ self.translation[..., None])[..., 0])


def fit_rigid(source: Tensor, target: Tensor) -> RigidTransform:
    """The transform of least squares between points that correspond row by row (Kabsch 1976), never a reflection.

    Args:
        source: (..., N, 3) float32 or float64.
        target: (..., N, 3), same dtype and device.

    Returns:
        From source to target. Where points leave the rotation open (one point, a line) one of the best; the identity
        where there are none.

    Raises:
        ValueError: Shapes differ or are not (..., N, 3).
    """
    if source.shape != target.shape or source.dim() < 2 or source.shape[-1] != 3:
        raise ValueError(f'need source and target (..., N, 3) alike, got {(*source.shape,)} and {(*target.shape,)}')
    count = max(1, source.shape[-2])
    centre, goal = source.sum(dim=-2) / count, target.sum(dim=-2) / count
    covariance = (source - centre[..., None, :]).transpose(-1, -2) @ (target - goal[..., None, :])
    u, _, vh = torch.linalg.svd(covariance)
    v = vh.transpose(-1, -2)
    # The axis that matters least is turned round where the best orthogonal matrix would mirror.
    sign = torch.ones_like(centre)
    sign[..., 2] = torch.det(v @ u.transpose(-1, -2)).sign()
    rotation = (v * sign[..., None, :]) @ u.transpose(-1, -2)
    return RigidTransform(rotation, goal - (rotation @ centre[..., None])[..., 0])


@torch.no_grad()
def icp(source: Tensor, target: Tensor, max_iterations: int = 1024, tolerance: float = 1e-10) -> RigidTransform:
    """Rigid registration (Besl and McKay 1992): pair each source point with its nearest target, fit, repeat.

    It starts from the identity and finds the best pose nearby, no other. Calculated in float64, without gradient. The
    defaults are those of 3D-ReConstNet's evaluation (``icp.py``; 3D-LMNet stops after 1000 steps).

    Args:
        source: (B, N, 3) or (N, 3) floating, in any unit; clouds of a batch are independent of each other.
        target: (B, M, 3) or (M, 3), same dtype and device.
        max_iterations: Steps at most.
        tolerance: In the unit of the points: a cloud is done when its mean distance changes by less.

    Returns:
        From source to target, (B, 3, 3) and (B, 3), or (3, 3) and (3,), in float64; the identity where a cloud is
        empty.

    Raises:
        TypeError: The clouds are not of one floating dtype.
        ValueError: A shape is wrong, a coordinate NaN or infinite, or a number out of range.
    """
    if max_iterations < 1 or not tolerance >= 0:
        raise ValueError(f'need max_iterations >= 1 and tolerance >= 0, got {max_iterations} and {tolerance}')
    if source.shape[-1:] != (3,) or source.dim() not in (2, 3) or source.dim() != target.dim():
        raise ValueError(
            f'need (B, N, 3) and (B, M, 3) or (N, 3) and (M, 3), got {(*source.shape,)} and {(*target.shape,)}'
        )
    if source.dtype != target.dtype or not source.is_floating_point():
        raise TypeError(f'both clouds must have one floating dtype, got {source.dtype} and {target.dtype}')
    if source.dim() == 2:
        found = icp(source[None], target[None], max_iterations, tolerance)
        return RigidTransform(found.rotation[0], found.translation[0])
    source, target = (cloud.detach().to(torch.promote_types(cloud.dtype, torch.float64)) for cloud in (source, target))
    pose = RigidTransform(torch.eye(3).to(source).repeat(len(source), 1, 1), source.new_zeros(len(source), 3))
    index = knn(source, target, 1)[1]  # refuses what does not fit
    active = torch.arange(len(source) if index.numel() and target.shape[1] else 0, device=source.device)
    error = source.new_full((len(source),), torch.inf)
    for _ in range(max_iterations):
        if not active.numel():
            break
        moved = RigidTransform(pose.rotation[active], pose.translation[active]).apply(source[active])
        dist2, index = knn(moved, target[active], 1)
        before, error[active] = error[active], dist2[..., 0].sqrt().mean(dim=1)
        # The same as fitting what has moved, without rounding that adds up.
        step = fit_rigid(source[active], target[active].gather(1, index.expand(-1, -1, 3)))
        pose.rotation[active], pose.translation[active] = step
        active = active[(before - error[active]).abs() >= tolerance]
    return pose


def align(prediction: Tensor, target: Tensor, mode: str = 'icp') -> Tensor:
    """A predicted cloud in the pose of the true one, for evaluation.

    3D-LMNet and 3D-ReConstNet register the true cloud to the predicted one, ``prediction ~ target R^T + t``, and mean
    to go back. Both do so by ``prediction R - t``, which is wrong where R is not the identity; the way back is
    ``(prediction - t) R``. Their numbers are comparable with those under ``'icp_legacy'`` alone.

    Args:
        prediction: (B, N, 3) or (N, 3) floating, in any unit.
        target: (B, M, 3) or (M, 3), same dtype and device.
        mode: ``'icp'`` (the way back), ``'icp_legacy'`` (as published) or ``'none'``.

    Returns:
        Shape and dtype of ``prediction``; differentiable at the fixed pose.

    Raises:
        TypeError: As :func:`icp`.
        ValueError: The mode is another one, or as :func:`icp`.
    """
    if mode not in ALIGNMENTS:
        raise ValueError(f"align must be 'icp', 'icp_legacy' or 'none', got {mode!r}")
    if mode == 'none':
        return prediction
    pose = icp(target, prediction)
    if mode == 'icp':
        return pose.inverse().apply(prediction)
    return prediction @ pose.rotation.to(prediction.dtype) - pose.translation.to(prediction.dtype)[..., None, :]
