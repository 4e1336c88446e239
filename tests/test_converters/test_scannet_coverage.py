"""Seen vertices against a loop over vertices and frames, and the overlap that a conversion writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scannet_hand_world as world
from PIL import Image

from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.converters.scannet_coverage import BASE_POINTS, SEEN_WITHIN, BaseOverlap, VertexCoverage
from mmfusion_plugin.converters.scannet_frames import ScanOptions

MATRIX = world.INTRINSIC_DEPTH[:3, :3].astype(np.float64)


def sees(depth: np.ndarray, pose: np.ndarray, vertex: np.ndarray, matrix: np.ndarray = MATRIX) -> bool:
    x, y, z, _ = np.linalg.inv(pose.astype(np.float64)) @ [*vertex, 1]
    if z <= 0:
        return False
    u, v = matrix[0, 0] * x / z + matrix[0, 2], matrix[1, 1] * y / z + matrix[1, 2]
    if not (-0.5 <= u < depth.shape[1] - 0.5 and -0.5 <= v < depth.shape[0] - 0.5):
        return False
    measured = depth[int(np.floor(v + 0.5)), int(np.floor(u + 0.5))]
    return bool(measured > 0 and abs(measured - z) <= SEEN_WITHIN)


def brute_force(vertices: np.ndarray, frames: list[tuple[np.ndarray, np.ndarray]]) -> int:
    return sum(any(sees(*frame, vertex) for frame in frames) for vertex in vertices.astype(np.float64))


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


@pytest.fixture(scope='module')
def converted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('scannet_overlap')
    raw = world.make_world(folder / 'raw')
    create_scannet_infos(raw, folder / 'out', ScanOptions((16, 12)))
    return folder / 'out'


@pytest.mark.parametrize('name', [world.SCANS['train'][1], world.SCANS['test'][0]])
def test_conversion_writes_what_each_frame_sees(converted, name):
    manifest = json.loads((converted / f'manifests/{name}.json').read_text())
    rgbd, folder = manifest['entry']['rgbd'], converted / 'frames' / name
    with np.load(folder / 'overlap.npz', allow_pickle=False) as file:
        base, packed = file['base'], file['seen']
    vertices = np.fromfile(converted / f'points/{name}.bin', '<f4').reshape(-1, 6)[:, :3].astype(np.float64)
    # The hand-made room has fewer vertices than are drawn: all are base points.
    np.testing.assert_array_equal(base, np.arange(len(vertices)))
    assert base.dtype == np.int32 and packed.dtype == np.uint8 and len(packed) == len(rgbd['frames'])
    seen = np.unpackbits(packed, axis=1, count=len(base)).astype(bool)
    for row, number, pose in zip(seen, rgbd['frames'], np.load(folder / 'poses.npy')):
        depth = np.asarray(Image.open(folder / f'depth/{number}.png')) / rgbd['depth_shift']
        assert row.tolist() == [sees(depth, pose, vertex, np.array(rgbd['depth2img'])) for vertex in vertices]
    assert seen.any(axis=0).sum() == manifest['seen'] > 0


def overlap_of(scan: str, vertices: np.ndarray, numbers: list[int], folder: Path) -> tuple[np.ndarray, np.ndarray]:
    overlap = BaseOverlap(scan, vertices, MATRIX)
    for number in numbers:
        overlap.add(world.depth_image(number) / 1000, world.camera_pose(number))
    overlap.save(folder / 'overlap.npz')
    with np.load(folder / 'overlap.npz', allow_pickle=False) as file:
        return file['base'], file['seen']


def test_base_points_are_drawn_by_the_name(tmp_path):
    vertices = np.repeat(world.mesh()[0][:, :3], 5, axis=0)
    assert len(vertices) > 2 * BASE_POINTS
    drawn = [overlap_of(scan, vertices, [0, 1], tmp_path) for scan in ('scene0000_00', 'scene0000_00', 'scene0000_01')]
    (base, seen), again, (other, _) = drawn
    np.testing.assert_array_equal(base, again[0])
    np.testing.assert_array_equal(seen, again[1])
    assert len(base) == len(set(base)) == BASE_POINTS and (np.diff(base) > 0).all() and set(base) != set(other)
    assert seen.shape == (2, BASE_POINTS // 8)
    # All parts of the room are among them, not its first faces alone.
    assert (np.bincount(base // (len(vertices) // 5), minlength=5) > 0.8 * BASE_POINTS / 5).all()


@pytest.mark.parametrize('count', [1, 7, 9])
def test_overlap_without_frames_or_with_few_points(count, tmp_path):
    vertices = world.mesh()[0][:count, :3]
    assert overlap_of('s', vertices, [], tmp_path)[1].shape == (0, -(-count // 8))
    base, seen = overlap_of('s', vertices, [0, 1, 4], tmp_path)
    assert base.tolist() == list(range(count)) and seen.shape == (3, -(-count // 8))
