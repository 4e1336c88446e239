"""Motions and projected boxes against pyquaternion, the devkit and a real keyframe."""

from __future__ import annotations

import json

import numpy as np
import pytest
from nuscenes.scripts.export_2d_annotations_as_json import post_process_coords
from nuscenes.utils.data_classes import Box
from pyquaternion import Quaternion

from mmfusion_plugin.converters import nuscenes_geometry as geometry

CANVAS = (1600, 900)


def test_rotations_equal_pyquaternion():
    random = np.random.default_rng(0)
    quaternions = random.normal(size=(50, 4))
    expected = np.stack([Quaternion(q).rotation_matrix for q in quaternions])
    np.testing.assert_allclose(geometry.rotation_matrix(quaternions), expected, atol=1e-12)
    yaws = [Quaternion(q).yaw_pitch_roll[0] for q in quaternions]
    np.testing.assert_allclose(geometry.heading(expected), yaws, atol=1e-9)


def test_inverse_pose():
    pose = geometry.pose_matrix([0.3, -0.2, 0.9, 0.1], [410.0, 1180.0, 2.0])
    np.testing.assert_allclose(geometry.inverse_pose(pose), np.linalg.inv(pose), atol=1e-9)


def test_corners_equal_the_devkit():
    box = Box([3.0, -2.0, 1.0], [1.9, 4.5, 1.6], Quaternion(axis=[0.1, 0.2, 1.0], degrees=40))
    ours = geometry.box_corners(box.center[None], box.wlh[None], box.orientation.rotation_matrix[None])[0]
    assert sorted(map(tuple, ours.round(9))) == sorted(map(tuple, box.corners().T.round(9)))


def test_clipped_hulls_equal_the_devkit():
    random = np.random.default_rng(1)
    pixels = random.uniform(-900, 2500, (300, 1, 2)) + random.normal(0, 350, (300, 8, 2))
    in_front = random.random((300, 8)) < 0.8
    bounds, truncation, seen = geometry.clip_hulls(pixels, in_front, *CANVAS)
    assert 60 < seen.sum() < 290
    assert (truncation[seen] > 0.2).any() and (truncation[seen] == 0).any()
    for i in range(300):
        official = post_process_coords(pixels[i][in_front[i]].tolist(), CANVAS) if in_front[i].any() else None
        assert seen[i] == (official is not None)
        if seen[i]:
            np.testing.assert_allclose(bounds[i], official, atol=1e-9)


def test_truncation_is_the_share_outside():
    square = np.array([[x, y] for x in (-100.0, 300.0) for y in (200.0, 400.0)] * 2)
    bounds, truncation, seen = geometry.clip_hulls(square[None], np.ones((1, 8), bool), *CANVAS)
    assert seen.all()
    np.testing.assert_allclose(bounds[0], [0, 200, 300, 400])
    np.testing.assert_allclose(truncation[0], 0.25)


@pytest.mark.parametrize(
    'corners',
    [
        [[0.0, 100.0], [-50.0, 100.0], [0.0, 300.0]],  # touches the canvas in a line
        [[-10.0, 10.0], [10.0, -10.0]],  # two corners in front: a line across the canvas' corner
        [[1600.0, 900.0], [1700.0, 950.0], [1650.0, 1000.0]],  # touches in a point
        [[-500.0, 1000.0], [-200.0, -400.0], [-300.0, 100.0]],  # beside
        [[500.0, 500.0]],  # a single corner in front
        [],  # behind the camera
    ],
)
def test_lines_and_points_are_unseen(corners):
    pixels, in_front = np.full((1, 8, 2), np.nan), np.zeros((1, 8), bool)
    pixels[0, : len(corners)], in_front[0, : len(corners)] = np.reshape(corners, (-1, 2)), True
    _, _, seen = geometry.clip_hulls(pixels, in_front, *CANVAS)
    assert not seen.any()


def test_no_boxes():
    bounds, truncation, seen = geometry.clip_hulls(np.zeros((0, 8, 2)), np.zeros((0, 8), bool), *CANVAS)
    assert bounds.shape == (0, 4) and truncation.shape == seen.shape == (0,)


def test_real_keyframe_boxes(real_keyframe):
    """Boxes of the LiDAR frame, moved by ``lidar2cam`` and projected, are the keyframe's own 2D boxes."""
    sample = json.loads((real_keyframe / 'info.json').read_text())['data_list'][0]
    boxes = np.array([instance['bbox_3d'] for instance in sample['instances']])
    # Annotated boxes stand upright in the map: restore the tilt of car and LiDAR, which the info file's yaw leaves out.
    to_lidar = (np.array(sample['ego2global']) @ sample['lidar_points']['lidar2ego'])[:3, :3].T
    yaw = boxes[:, 6] + np.arctan2(to_lidar[0, 1], to_lidar[0, 0])
    upright = np.stack([np.cos(yaw / 2), *np.zeros((2, len(boxes))), np.sin(yaw / 2)], axis=1)
    corners = geometry.box_corners(boxes[:, :3], boxes[:, [4, 3, 5]], to_lidar @ geometry.rotation_matrix(upright))
    compared = 0
    for camera, image in sample['images'].items():
        lidar2cam, cam2img = np.array(image['lidar2cam']), np.array(image['cam2img'])
        in_camera = corners @ lidar2cam[:3, :3].T + lidar2cam[:3, 3]
        pixels = (in_camera @ cam2img.T)[..., :2] / in_camera[..., 2:]
        bounds, _, seen = geometry.clip_hulls(pixels, in_camera[..., 2] > 0, *CANVAS)
        theirs = np.array([box['bbox'] for box in sample['cam_instances'][camera]])
        distance = np.abs(theirs[:, None] - bounds[seen][None]).max(axis=2).min(axis=1)
        assert distance.max() < 0.05
        compared += len(theirs)
    assert compared > 60
