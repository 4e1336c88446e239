"""Seen points against a loop over frames and points."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scannet_hand_world as world

from mmfusion_plugin.ops import frame_overlap as module
from mmfusion_plugin.ops.frame_overlap import frame_overlap

MATRIX = world.INTRINSIC_DEPTH[:3, :3].astype(np.float64)
NUMBERS = [0, 1, 4, 5, world.EMPTY]


def sequence() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points on, in front of and behind the walls, depth images in metres, and poses."""
    vertices = world.mesh()[0][:, :3]
    points = np.concatenate([vertices, 0.6 * vertices[::3], 1.4 * vertices[1::3], 0.95 * vertices[2::3]])
    depth = np.stack([world.depth_image(number) for number in NUMBERS]) / 1000
    return points, depth, np.stack([world.camera_pose(number) for number in NUMBERS])


def loop(points: np.ndarray, depth: np.ndarray, poses: np.ndarray, matrix: np.ndarray, within: float) -> np.ndarray:
    seen = np.zeros((len(depth), len(points)), bool)
    for f, (image, pose) in enumerate(zip(depth, poses.astype(np.float64))):
        if not np.isfinite(pose).all():
            continue
        for k, point in enumerate(points):
            x, y, z, _ = np.linalg.inv(pose) @ [*point, 1]
            if z > 0:
                u, v, _ = matrix @ [x / z, y / z, 1]
                column, row = int(np.floor(u + 0.5)), int(np.floor(v + 0.5))
                if 0 <= column < image.shape[1] and 0 <= row < image.shape[0] and image[row, column] > 0:
                    seen[f, k] = abs(image[row, column] - z) <= within
    return seen


@pytest.mark.parametrize('pairs', [1, 2000, 1 << 16])
@pytest.mark.parametrize('within', [0.02, 0.1, 0.5])
def test_equals_a_loop(pairs, within, monkeypatch):
    monkeypatch.setattr(module, '_PAIRS', pairs)
    points, depth, poses = sequence()
    seen = frame_overlap(points, depth, poses, MATRIX, within)
    assert seen.dtype == bool
    np.testing.assert_array_equal(seen, loop(points, depth, poses, MATRIX, within))
    assert not seen[-1].any() and seen[:-1].any(axis=1).all() and not seen.all(axis=0).any()


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_frames_without_a_pose_see_nothing(value):
    points, depth, poses = sequence()
    expected = frame_overlap(points, depth, poses, MATRIX)
    poses[1, 0, 3] = value
    expected[1] = False
    np.testing.assert_array_equal(frame_overlap(points, depth, poses, MATRIX), expected)
    poses[:] = value
    assert not frame_overlap(points, depth, poses, MATRIX).any()


@pytest.mark.filterwarnings('error')
def test_depth_that_is_not_finite_is_unmeasured():
    points, depth, poses = sequence()
    holes = np.where(depth == 0, np.nan, depth)
    np.testing.assert_array_equal(
        frame_overlap(points, holes, poses, MATRIX), frame_overlap(points, depth, poses, MATRIX))
    assert not frame_overlap(points, np.full_like(depth, np.inf), poses, MATRIX).any()


@pytest.mark.parametrize('u, v, inside', [
    (-0.5, 0, True), (-0.500001, 0, False), (4.499999, 0, True), (4.5, 0, False), (0, -0.5, True),
    (0, -0.500001, False), (0, 2.499999, True), (0, 2.5, False), (2.5, 1.5, True)])
def test_border_of_the_image(u, v, inside):
    matrix = np.array([[10.0, 0, 2], [0, 10, 1], [0, 0, 1]])
    point = np.array([[(u - 2) / 10, (v - 1) / 10, 1]])
    # Each pixel has its own depth, right for one of them only.
    depth = np.full((1, 3, 5), 9.0)
    depth[0, np.clip(int(np.floor(v + 0.5)), 0, 2), np.clip(int(np.floor(u + 0.5)), 0, 4)] = 1.05
    assert frame_overlap(point, depth, np.eye(4)[None], matrix).item() == inside


@pytest.mark.filterwarnings('error')
def test_points_in_and_behind_the_plane_of_the_camera():
    points = np.array([[0, 0, 0.0], [1, 1, 0], [0, 0, -1], [0, 0, 1]])
    matrix = np.array([[10.0, 0, 2], [0, 10, 1], [0, 0, 1]])
    seen = frame_overlap(points, np.ones((1, 3, 5)), np.eye(4)[None], matrix, within=3)
    assert seen.tolist() == [[False, False, False, True]]


@pytest.mark.parametrize('frames, count', [(0, 5), (3, 0), (0, 0)])
def test_nothing(frames, count):
    poses = np.tile(np.eye(4), (frames, 1, 1))
    assert frame_overlap(np.zeros((count, 3)), np.ones((frames, 3, 5)), poses, MATRIX).shape == (frames, count)


@pytest.mark.parametrize('points, depth, poses, matrix', [
    ((5, 2), (3, 4, 6), (3, 4, 4), (3, 3)), ((5, 3), (4, 6), (3, 4, 4), (3, 3)),
    ((5, 3), (3, 4, 6), (2, 4, 4), (3, 3)), ((5, 3), (3, 4, 6), (3, 4, 4), (4, 4))])
def test_shapes_that_do_not_fit(points, depth, poses, matrix):
    with pytest.raises(ValueError, match='need'):
        frame_overlap(np.zeros(points), np.ones(depth), np.ones(poses), np.ones(matrix))


def test_memory_is_bounded():
    points = np.random.default_rng(0).normal(size=(2000, 3))
    depth, poses = np.ones((1500, 6, 8), np.float32), np.tile(np.eye(4), (1500, 1, 1))
    tracemalloc.start()
    seen = frame_overlap(points, depth, poses, MATRIX)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < seen.nbytes + 16 * 2**20  # at once it would be 72 MB for the projected points alone
