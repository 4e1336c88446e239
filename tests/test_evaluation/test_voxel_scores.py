"""Voxels: overlap by hand, and clouds on their surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfusion_plugin.evaluation.interpolation_scores import interpolation_smoothness, interpolation_steps
from mmfusion_plugin.evaluation.reconstruction_scores import chamfer
from mmfusion_plugin.evaluation.voxel_scores import occupied, voxel_cloud, voxel_iou


def block(*spans: tuple[int, int], size: int = 8) -> torch.Tensor:
    grid = torch.zeros(size, size, size, dtype=torch.bool)
    grid[tuple(slice(*span) for span in spans)] = True
    return grid


def test_iou_by_hand():
    truth = block((0, 4), (0, 4), (0, 4))
    shifted = block((2, 6), (0, 4), (0, 4))  # shares 2 * 16 of 64 voxels: 32 of 96
    several = torch.stack([truth, shifted, block((6, 8), (6, 8), (6, 8)), torch.zeros_like(truth)])
    assert voxel_iou(several, truth).tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert float(voxel_iou(shifted, truth)) == pytest.approx(1 / 3)
    assert float(voxel_iou(torch.zeros_like(truth), torch.zeros_like(truth))) == 1


def test_threshold_is_exclusive():
    numbers = torch.tensor([0.0, 0.5, 0.6, 1.0]).view(1, 1, 4)
    assert occupied(numbers).flatten().tolist() == [False, False, True, True]
    assert occupied(numbers.numpy(), 0.2).flatten().tolist() == [False, True, True, True]
    assert occupied(np.array([[[0, 1]]], np.uint8)).flatten().tolist() == [False, True]
    assert float(voxel_iou(numbers, torch.ones(1, 1, 4), threshold=0.9)) == 0.25


def test_wrong_voxels_are_refused():
    with pytest.raises(ValueError, match='grids of one size'):
        voxel_iou(torch.zeros(4, 4, 4), torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match='X, Y, Z'):
        occupied(torch.zeros(4, 4))
    with pytest.raises(ValueError, match='NaN or infinite'):
        occupied(torch.full((2, 2, 2), torch.nan))
    for wrong in (dict(points=0), dict(scale='sphere')):
        with pytest.raises(ValueError, match='points > 0 and scale of'):
            voxel_cloud(block((0, 1), (0, 1), (0, 1)), **wrong)
    with pytest.raises(ValueError, match='need voxels .X, Y, Z'):
        voxel_cloud(torch.zeros(2, 2, 2, 2))


def test_cloud_lies_on_the_faces_of_the_scaled_box():
    cloud = voxel_cloud(block((1, 5), (2, 4), (3, 4)))  # 4 x 2 x 1 voxels: sides 1, 1/2, 1/4
    assert cloud.shape == (2048, 3) and cloud.dtype == torch.float32
    half = torch.tensor([0.5, 0.25, 0.125])
    assert bool((cloud.abs() <= half + 1e-6).all())
    on_face = (cloud.abs() - half).abs() < 1e-6
    assert bool(on_face.any(dim=1).all())
    # Two faces of 2 x 1, 4 x 1 and 4 x 2 voxels each, 28 in all.
    assert on_face.double().mean(dim=0).tolist() == pytest.approx([4 / 28, 8 / 28, 16 / 28], abs=0.03)


def test_scale_and_seed():
    small, moved = block((1, 3), (1, 3), (1, 3)), block((3, 7), (4, 8), (4, 8))
    # Cubes of any size and place fill the unit cube; on the grid they stay where they are.
    assert chamfer(voxel_cloud(small), voxel_cloud(moved)) < 0.1
    grid = voxel_cloud(moved, scale='grid')
    assert grid.amin(dim=0).tolist() == pytest.approx([3 / 8 - 0.5, 0, 0], abs=1e-6)
    assert grid.amax(dim=0).tolist() == pytest.approx([7 / 8 - 0.5, 0.5, 0.5], abs=1e-6)
    assert torch.equal(voxel_cloud(small), voxel_cloud(small.clone()))
    assert not torch.equal(voxel_cloud(small), voxel_cloud(small, seed=1))
    assert torch.equal(voxel_cloud(torch.zeros(4, 4, 4), points=5), torch.zeros(5, 3))


def test_steps_of_a_path():
    point = torch.zeros(1, 3)
    path = torch.stack([point, point + torch.tensor([3.0, 4.0, 0]), point + torch.tensor([3.0, 4.0, 1.0])])
    assert interpolation_steps(path).tolist() == pytest.approx([50, 2])
    assert interpolation_steps(path, squared=False).tolist() == pytest.approx([10, 2])
    assert interpolation_smoothness(path) == pytest.approx(dict(mean_step=26, max_step=50, ends=52))
    still = torch.rand(1, 6, 3).expand(4, 6, 3)
    assert interpolation_smoothness(still) == dict(mean_step=0, max_step=0, ends=0)
    for wrong in (path[:1], path[:, :0], path[..., :2]):
        with pytest.raises(ValueError, match='a path needs clouds'):
            interpolation_steps(wrong)
