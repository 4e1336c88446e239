"""Projection against the nuScenes devkit and the closed form, for numpy and torch alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmfusion_plugin.ops.projection import in_image, project_points, transform_points

INTRINSIC = np.array([[1266.4, 0.0, 816.3], [0.0, 1266.4, 491.5], [0.0, 0.0, 1.0]])


def rigid(seed: int = 0) -> np.ndarray:
    """A rotation and a shift."""
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation * np.linalg.det(rotation), generator.normal(size=3)
    return matrix


def devkit_pixels(points: np.ndarray, matrix: np.ndarray, intrinsic: np.ndarray) -> np.ndarray:
    geometry = pytest.importorskip('nuscenes.utils.geometry_utils')
    camera = matrix[:3, :3] @ points.T + matrix[:3, 3:]
    return geometry.view_points(camera, intrinsic, normalize=True)[:2].T


@pytest.mark.parametrize('kind', [np.asarray, torch.as_tensor])
@pytest.mark.parametrize('padded', [False, True])
def test_equals_the_devkit_on_many_points(kind, padded: bool) -> None:
    points = np.random.default_rng(1).uniform(-60, 60, (100_000, 3))
    matrix, intrinsic = rigid(), INTRINSIC
    if padded:
        intrinsic = np.eye(4)
        intrinsic[:3, :3] = INTRINSIC
    pixels, depth = project_points(kind(points), kind(matrix), kind(intrinsic))
    expected = devkit_pixels(points, matrix, INTRINSIC)
    assert (np.asarray(depth) < 0).sum() > 1000  # behind the camera too
    # Within a few mm of the camera's plane pixels lie millions away and float64 itself is no better than 1e-3.
    fair = np.abs(np.asarray(depth)) > 1e-3
    assert np.abs(np.asarray(pixels) - expected)[fair].max() < 1e-3
    np.testing.assert_allclose(depth, (points @ matrix[:3, :3].T + matrix[:3, 3])[:, 2], atol=1e-9)
    seen = np.asarray(in_image(pixels, depth, 900, 1600))
    assert seen.sum() > 1000 and (np.asarray(depth)[seen] > 0).all()


def test_equals_the_devkit_on_a_real_sweep(real_keyframe: Path) -> None:
    info = json.loads((real_keyframe / 'info.json').read_text())
    info = info.get('data_list', [info])[0]
    sweep = next(real_keyframe.glob('*LIDAR_TOP*.bin'))
    points = np.fromfile(sweep, dtype=np.float32).reshape(-1, 5)[:, :3]
    seen = np.zeros(len(points), dtype=bool)
    for camera in info['images'].values():
        matrix, intrinsic = np.array(camera['lidar2cam']), np.array(camera['cam2img'])
        pixels, depth = project_points(points, matrix, intrinsic)
        mask = in_image(pixels, depth, 900, 1600)
        expected = devkit_pixels(points.astype(np.float64), matrix, intrinsic[:3, :3])
        assert np.abs(pixels - expected)[mask].max() < 1e-3
        seen |= mask
    assert 0.3 < seen.mean() < 1.0


def test_full_projection_matrix_with_an_offset() -> None:
    """A 4x4 intrinsic's fourth column counts, as after a shift of the principal point by depth-free pixels."""
    intrinsic = np.eye(4)
    intrinsic[:3, :3], intrinsic[:3, 3] = INTRINSIC, (8.0, -4.0, 2.0)
    pixels, depth = project_points(np.array([[1.0, 2.0, 10.0]]), np.eye(4), intrinsic)
    u = (1266.4 * 1 + 816.3 * 10 + 8) / 12
    v = (1266.4 * 2 + 491.5 * 10 - 4) / 12
    np.testing.assert_allclose(pixels, [[u, v]])
    assert depth.tolist() == [10.0]


@pytest.mark.parametrize('shape', [(3,), (0, 3), (7, 3), (2, 5, 3)])
def test_transform_equals_homogeneous_product_and_comes_back(shape: tuple[int, ...]) -> None:
    points, matrix = np.random.default_rng(2).normal(size=shape), rigid(3)
    moved = transform_points(points, matrix)
    homogeneous = np.concatenate([points, np.ones(shape[:-1] + (1,))], axis=-1)
    np.testing.assert_allclose(moved, (homogeneous @ matrix.T)[..., :3], atol=1e-12)
    np.testing.assert_allclose(transform_points(moved, np.linalg.inv(matrix)), points, atol=1e-12)


def test_kind_and_dtype_of_the_result_are_those_of_the_points() -> None:
    matrix = rigid()
    for dtype in (np.float32, np.float64):
        points = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
        moved, tensor = transform_points(points, matrix), transform_points(torch.from_numpy(points), matrix.tolist())
        assert isinstance(moved, np.ndarray) and moved.dtype == dtype
        assert isinstance(tensor, torch.Tensor) and tensor.numpy().dtype == dtype
        np.testing.assert_allclose(moved, tensor, rtol=1e-6, atol=1e-7)
        for result in project_points(torch.from_numpy(points), torch.from_numpy(matrix), INTRINSIC):
            assert isinstance(result, torch.Tensor) and result.numpy().dtype == dtype
        for result in project_points(points, torch.from_numpy(matrix), torch.from_numpy(INTRINSIC)):
            assert isinstance(result, np.ndarray) and result.dtype == dtype
    assert transform_points(np.array([[1, 2, 3]]), np.eye(4)).dtype == np.float64
    assert transform_points(torch.tensor([[1, 2, 3]]), np.eye(4)).dtype == torch.float64


def test_float32_points_are_computed_in_float64() -> None:
    """At 1e5 m float32 steps are 8 mm: arithmetic in float32 would lose the pixel."""
    matrix = np.eye(4)
    matrix[0, 3] = -1e5
    points = np.array([[1e5 + 1.0, 0.0, 10.0]], dtype=np.float32)
    pixels, _ = project_points(points, matrix, INTRINSIC)
    np.testing.assert_allclose(pixels[0, 0], 816.3 + 126.64, atol=1e-3)


def test_gradient() -> None:
    points = torch.randn(5, 3, dtype=torch.float64) + torch.tensor([0.0, 0.0, 5.0])
    points.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: project_points(p, np.eye(4), INTRINSIC / 1000), (points,))


@pytest.mark.parametrize('kind', [np.array, torch.tensor])
def test_visible_means_the_pixel_area_and_in_front(kind) -> None:
    pixels = kind(
        [[-0.5, -0.5], [-0.51, 0], [1599.49, 899.49], [1599.5, 0], [0, 899.5], [5, 5], [5, 5], [float('nan'), 5]]
    )
    depth = kind([1.0, 1, 1, 1, 1, 0, 2, 1])
    assert in_image(pixels, depth, 900, 1600).tolist() == [True, False, True, False, False, False, True, False]
    assert in_image(pixels, depth, 900, 1600, min_depth=1.0).tolist() == [False] * 6 + [True, False]


def test_points_in_the_camera_plane_are_never_seen_and_raise_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    for points in (np.array([[0.0, 0, 0], [1, 0, 0]]), torch.tensor([[0.0, 0, 0], [1, 0, 0]])):
        assert not bool(in_image(*project_points(points, np.eye(4), INTRINSIC), 900, 1600).any())
    assert not recwarn.list


def test_no_points() -> None:
    pixels, depth = project_points(np.zeros((0, 3), np.float32), np.eye(4), INTRINSIC)
    assert pixels.shape == (0, 2) and depth.shape == (0,) and in_image(pixels, depth, 9, 9).shape == (0,)


def test_wrong_input_is_refused() -> None:
    points, skewed = np.zeros((4, 3)), np.eye(4)
    skewed[3, 0] = 1
    for call, text in (
        (lambda: project_points(np.zeros((4, 5)), np.eye(4), INTRINSIC), r'points must be \(N, 3\)'),
        (lambda: project_points(points, np.eye(3), INTRINSIC), r'must be \(4, 4\)'),
        (lambda: project_points(points, np.eye(4), np.eye(2)), 'cam2img must be'),
        (lambda: project_points(points, skewed, INTRINSIC), 'transposed'),
        (lambda: transform_points(np.zeros((4, 2)), np.eye(4)), r'points must be \(..., 3\)'),
        (lambda: in_image(np.zeros((4, 2)), np.zeros(3), 9, 9), r'depth \(N,\)'),
    ):
        with pytest.raises(ValueError, match=text):
            call()
