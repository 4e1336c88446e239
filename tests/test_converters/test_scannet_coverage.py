"""Seen vertices against a loop over vertices and frames."""

from __future__ import annotations

import numpy as np
import pytest
import scannet_hand_world as world

from mmfusion_plugin.converters.scannet_coverage import SEEN_WITHIN, VertexCoverage

MATRIX = world.INTRINSIC_DEPTH[:3, :3].astype(np.float64)


def brute_force(vertices: np.ndarray, frames: list[tuple[np.ndarray, np.ndarray]]) -> int:
    seen = 0
    for vertex in vertices.astype(np.float64):
        hit = False
        for depth, pose in frames:
            x, y, z, _ = np.linalg.inv(pose.astype(np.float64)) @ [*vertex, 1]
            if z <= 0:
                continue
            u, v = MATRIX[0, 0] * x / z + MATRIX[0, 2], MATRIX[1, 1] * y / z + MATRIX[1, 2]
            if -0.5 <= u < depth.shape[1] - 0.5 and -0.5 <= v < depth.shape[0] - 0.5:
                measured = depth[int(np.floor(v + 0.5)), int(np.floor(u + 0.5))]
                hit |= bool(measured > 0 and abs(measured - z) <= SEEN_WITHIN)
        seen += hit
    return seen


@pytest.mark.parametrize('numbers', [[0], [0, 1, 4, 5], [0, 0]])
def test_seen_equals_a_loop(numbers):
    vertices, _ = world.mesh()
    # Some vertices float in the room, in front of the measured walls, or lie behind them.
    vertices = np.concatenate([vertices[:, :3], 0.6 * vertices[:200, :3], 1.4 * vertices[200:400, :3]])
    frames = [(world.depth_image(number) / 1000, world.camera_pose(number)) for number in numbers]
    coverage = VertexCoverage(vertices, MATRIX)
    for depth, pose in frames:
        coverage.add(depth, pose)
    assert coverage.total == len(vertices)
    assert coverage.seen == brute_force(vertices, frames)
    assert 0 < coverage.seen < len(vertices)


def test_hidden_and_unmeasured_vertices_are_not_seen():
    ahead = np.array([[0, 0, 1.0], [0, 0, 2.0], [0, 0, -1.0]])
    for measured, expected in ((1.05, 1), (2.0, 1), (1.5, 0), (0.0, 0)):
        coverage = VertexCoverage(ahead, np.array([[10.0, 0, 2], [0, 10, 2], [0, 0, 1]]))
        coverage.add(np.full((5, 5), measured), np.eye(4))
        assert coverage.seen == expected


@pytest.mark.filterwarnings('error')
def test_nothing_left_to_see():
    coverage = VertexCoverage(np.array([[0, 0, 1.0]]), np.array([[10.0, 0, 2], [0, 10, 2], [0, 0, 1]]))
    for _ in range(3):
        coverage.add(np.ones((5, 5)), np.eye(4))
    assert coverage.seen == 1
