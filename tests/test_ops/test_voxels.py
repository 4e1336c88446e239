"""Voxel coordinates against the formula in numpy, and distinct voxels against ``numpy.unique``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmfusion_plugin.ops.voxels import in_volume, unique_voxels, voxel_coordinates

LOWER, UPPER, GRID = (-50.0, -50.0, -4.0), (50.0, 50.0, 2.0), (1000, 1000, 60)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('grid', [GRID, (500, 500, 30), (63, 63, 4)])
def test_coordinates_equal_the_formula(dtype: torch.dtype, grid: tuple[int, int, int]) -> None:
    xyz = (torch.rand(5000, 3, dtype=dtype) - 0.5) * torch.tensor([120.0, 120.0, 8.0], dtype=dtype)
    points = xyz.numpy()
    low, high = np.array(LOWER, points.dtype), np.array(UPPER, points.dtype)
    expected = np.trunc(np.array(grid, points.dtype) * (points - low) / (high - low)).astype(np.int64)
    coordinates = voxel_coordinates(xyz, LOWER, UPPER, grid)
    assert coordinates.dtype == torch.int64
    np.testing.assert_array_equal(coordinates, expected)
    inside = ((points >= low) & (points < high)).all(axis=1)
    np.testing.assert_array_equal(in_volume(xyz, LOWER, UPPER), inside)
    assert 0 < inside.sum() < len(points)


def test_trunc_goes_towards_zero_and_nothing_is_clipped() -> None:
    xyz = torch.tensor([[-0.5, -1.5, 9.9], [0.0, 10.0, 25.0]])
    assert voxel_coordinates(xyz, (0, 0, 0), (10, 10, 10), (10, 10, 10)).tolist() == [[0, -1, 9], [0, 10, 25]]
    assert in_volume(xyz, (0, 0, 0), (10, 10, 10)).tolist() == [False, False]


def test_least_corner_is_inside_and_greatest_outside() -> None:
    xyz = torch.tensor([LOWER, UPPER, (0, 0, 0), (torch.nan, 0, 0), (torch.inf, 0, 0), (-torch.inf, 0, 0)])
    assert in_volume(xyz, LOWER, UPPER).tolist() == [True, False, True, False, False, False]


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 5000), low=st.floats(-100, 100, width=32), extent=st.floats(0.5, 500, width=32))
def test_points_in_the_volume_lie_in_the_grid_whatever_its_size(size: int, low: float, extent: float) -> None:
    """Also those a few roundings below the upper bound."""
    upper = np.float32(np.float32(low) + np.float32(extent))
    steps = [upper]
    for _ in range(40):
        steps.append(np.nextafter(steps[-1], np.float32(-np.inf)))
    xyz = torch.from_numpy(np.repeat(np.array(steps + [np.float32(low)]), 3).reshape(-1, 3))
    bounds = [low] * 3, [float(upper)] * 3
    inside = in_volume(xyz, *bounds)
    coordinates = voxel_coordinates(xyz[inside], *bounds, (size, 1, 7))
    assert bool(inside[-1]) and not bool(inside[0])
    assert bool((coordinates >= 0).all()) and bool((coordinates < torch.tensor([size, 1, 7])).all())


@pytest.mark.parametrize('spread', [3, 1000, 1 << 40])  # the last overflows one int64 key per voxel
@pytest.mark.parametrize('rows', [1, 2, 2000])
def test_unique_equals_numpy(spread: int, rows: int) -> None:
    coordinates = torch.randint(-spread, spread, (rows, 4))
    voxels = unique_voxels(coordinates)
    expected, inverse = np.unique(coordinates.numpy(), axis=0, return_inverse=True)
    np.testing.assert_array_equal(voxels.coordinates, expected)
    np.testing.assert_array_equal(voxels.inverse, inverse.ravel())
    assert voxels.coordinates.dtype == voxels.inverse.dtype == torch.int64


def test_unique_of_extreme_coordinates() -> None:
    top = torch.iinfo(torch.int64).max
    coordinates = torch.tensor([[0, top, 0, 0], [0, -top, 0, 0], [0, top, 0, 0]])
    voxels = unique_voxels(coordinates)
    assert voxels.coordinates.tolist() == [[0, -top, 0, 0], [0, top, 0, 0]] and voxels.inverse.tolist() == [1, 0, 1]


def test_unique_of_nothing() -> None:
    voxels = unique_voxels(torch.empty(0, 4, dtype=torch.long))
    assert voxels.coordinates.shape == (0, 4) and voxels.inverse.shape == (0,) and voxels.inverse.dtype == torch.int64


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 80), spread=st.integers(1, 6))
def test_inverse_leads_back_whatever_the_order(seed: int, rows: int, spread: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    coordinates = torch.randint(-spread, spread, (rows, 4), generator=generator)
    shuffle = torch.randperm(rows, generator=generator)
    voxels, shuffled = unique_voxels(coordinates), unique_voxels(coordinates[shuffle])
    assert torch.equal(voxels.coordinates[voxels.inverse], coordinates)
    assert torch.equal(shuffled.coordinates, voxels.coordinates)
    assert torch.equal(shuffled.inverse, voxels.inverse[shuffle])


def test_no_points() -> None:
    xyz = torch.empty(0, 3)
    assert voxel_coordinates(xyz, LOWER, UPPER, GRID).shape == (0, 3)
    assert in_volume(xyz, LOWER, UPPER).shape == (0,)


def test_wrong_input_is_refused() -> None:
    xyz = torch.rand(4, 3)
    for call, error, text in (
        (lambda: voxel_coordinates(xyz / 0, LOWER, UPPER, GRID), ValueError, 'NaN or infinite'),
        (lambda: voxel_coordinates(xyz.long(), LOWER, UPPER, GRID), TypeError, 'floating'),
        (lambda: voxel_coordinates(torch.rand(4, 4), LOWER, UPPER, GRID), ValueError, r'\(N, 3\)'),
        (lambda: voxel_coordinates(xyz, UPPER, LOWER, GRID), ValueError, 'empty volume'),
        (lambda: voxel_coordinates(xyz, LOWER, UPPER, (10, 0, 10)), ValueError, 'empty volume or grid'),
        (lambda: voxel_coordinates(xyz, LOWER[:2], UPPER, GRID), ValueError, '3 numbers'),
        (lambda: in_volume(xyz, LOWER, LOWER), ValueError, 'empty volume'),
        (lambda: unique_voxels(torch.rand(4, 4)), TypeError, 'int64'),
        (lambda: unique_voxels(torch.zeros(4, 3, dtype=torch.long)), ValueError, r'\(N, 4\)'),
    ):
        with pytest.raises(error, match=text):
            call()
