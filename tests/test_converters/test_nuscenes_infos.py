"""Entries of info files against the devkit and MMDetection3D on the hand-written world."""

from __future__ import annotations

import numpy as np
import pytest
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.datasets.convert_utils import get_nuscenes_2d_boxes
from nuscenes.scripts.export_2d_annotations_as_json import post_process_coords
from nuscenes.utils.geometry_utils import transform_matrix, view_points
from nuscenes_hand_world import make_world
from pyquaternion import Quaternion

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.converters.nuscenes_taxonomy import CAMERAS, DETECTION_CLASSES, FINE_NAMES, FINE_TO_DETECTION


def pose_of(devkit, sample_data_token: str) -> np.ndarray:
    """Sensor to global by the devkit's own helper."""
    record = devkit.get('sample_data', sample_data_token)
    mount = devkit.get('calibrated_sensor', record['calibrated_sensor_token'])
    ego = devkit.get('ego_pose', record['ego_pose_token'])
    chain = [transform_matrix(row['translation'], Quaternion(row['rotation'])) for row in (ego, mount)]
    return chain[0] @ chain[1]


def test_matrices_and_names(devkit, hand_samples):
    for entry in hand_samples:
        sample = devkit.get('sample', entry['token'])
        lidar = devkit.get('sample_data', sample['data']['LIDAR_TOP'])
        assert entry['lidar_points']['sample_data_token'] == lidar['token']
        assert entry['lidar_points']['lidar_path'] == lidar['filename'].split('/')[-1]
        assert entry['pts_semantic_mask_path'] == devkit.get('lidarseg', lidar['token'])['filename'].split('/')[-1]
        assert entry['timestamp'] == sample['timestamp'] / 1e6
        assert entry['scene_name'] == devkit.get('scene', sample['scene_token'])['name']
        lidar2global = pose_of(devkit, lidar['token'])
        chain = np.array(entry['ego2global']) @ entry['lidar_points']['lidar2ego']
        np.testing.assert_allclose(chain, lidar2global, atol=1e-6)
        assert list(entry['images']) == list(CAMERAS)
        for camera, image in entry['images'].items():
            expected = np.linalg.inv(pose_of(devkit, sample['data'][camera])) @ lidar2global
            np.testing.assert_allclose(image['lidar2cam'], expected, atol=1e-9)
            assert image['sample_data_token'] == sample['data'][camera]


def test_sweeps(devkit, hand_samples):
    for entry in hand_samples:
        token, found = entry['lidar_points']['sample_data_token'], []
        lidar2global = pose_of(devkit, token)
        while devkit.get('sample_data', token)['prev']:
            token = devkit.get('sample_data', token)['prev']
            found.append(token)
        assert [sweep['sample_data_token'] for sweep in entry['lidar_sweeps']] == found[:10]
        for sweep in entry['lidar_sweeps']:
            expected = np.linalg.inv(pose_of(devkit, sweep['sample_data_token'])) @ lidar2global
            np.testing.assert_allclose(sweep['lidar_points']['lidar2sensor'], expected, atol=1e-9)


def test_instances(devkit, hand_samples):
    unknown = 0
    for entry in hand_samples:
        sample = devkit.get('sample', entry['token'])
        _, boxes, _ = devkit.get_sample_data(sample['data']['LIDAR_TOP'])
        to_lidar = np.linalg.inv(pose_of(devkit, sample['data']['LIDAR_TOP']))[:3, :3]
        assert len(boxes) == len(entry['instances']) >= 30
        for box, token, instance in zip(boxes, sample['anns'], entry['instances']):
            yaw = box.orientation.yaw_pitch_roll[0]
            np.testing.assert_allclose(instance['bbox_3d'], [*box.center, *box.wlh[[1, 0, 2]], yaw], atol=1e-5)
            velocity = to_lidar @ (devkit.box_velocity(token) * [1, 1, 0])
            np.testing.assert_allclose(instance['velocity'], velocity[:2], atol=1e-5)
            unknown += np.isnan(velocity[0])
            record = devkit.get('sample_annotation', token)
            assert instance['bbox_label'] == FINE_TO_DETECTION[FINE_NAMES.index(record['category_name'])]
            assert instance['bbox_3d_isvalid'] == (record['num_lidar_pts'] + record['num_radar_pts'] > 0)
    assert unknown > 0, 'objects seen once have no velocity, and are among those compared'


def test_boxes_2d_follow_the_devkit(devkit, hand_samples):
    """The same boxes as the devkit's export script, with corners taken through its own box class."""
    total = truncated = 0
    for entry in hand_samples:
        sample = devkit.get('sample', entry['token'])
        for camera, image in entry['images'].items():
            to_camera = np.linalg.inv(pose_of(devkit, sample['data'][camera]))
            expected = []
            for token in sample['anns']:
                corners = to_camera[:3, :3] @ devkit.get_box(token).corners() + to_camera[:3, 3:]
                front = corners[:, corners[2] > 0]
                uv = view_points(front, np.array(image['cam2img']), normalize=True)[:2].T
                clipped = post_process_coords(uv.tolist()) if len(uv) > 2 else None
                if clipped is not None:
                    expected.append((clipped, devkit.get('sample_annotation', token)))
            assert len(expected) == len(image['boxes_2d'])
            for (clipped, record), box in zip(expected, image['boxes_2d']):
                np.testing.assert_allclose(box['bbox'], clipped, atol=1e-3)
                assert box['category_name'] == record['category_name'] == FINE_NAMES[box['category']]
                assert box['visibility'] == int(record['visibility_token'] or 0)
                assert box['instance_token'] == record['instance_token']
                truncated += 0 < box['truncation'] <= 1
                total += 1
    assert total > 200 and 20 < truncated < total
    names = {box['category_name'] for entry in hand_samples for i in entry['images'].values() for box in i['boxes_2d']}
    assert {'human.pedestrian.adult', 'human.pedestrian.child'} <= names


def test_camera_instances_equal_mmdet3d(devkit, hand_samples):
    for entry in hand_samples[:3]:
        for camera, image in entry['images'].items():
            theirs = get_nuscenes_2d_boxes(devkit, image['sample_data_token'], ['', '1', '2', '3', '4'])
            ours = entry['cam_instances'][camera]
            assert len(ours) == len(theirs)
            for a, b in zip(ours, theirs):
                assert a.keys() == b.keys()
                for key, value in a.items():
                    np.testing.assert_allclose(value, b[key], atol=2e-2 if key == 'center_2d' else 2e-3, err_msg=key)


@pytest.mark.parametrize('load_type', ['frame_based', 'mv_image_based'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_mmdet3d_reads_the_files_unchanged(hand_world, hand_infos, load_type, test_mode):
    prefix = {'pts': 'samples/LIDAR_TOP', 'sweeps': 'sweeps/LIDAR_TOP', **{c: f'samples/{c}' for c in CAMERAS}}
    dataset = NuScenesDataset(
        data_root=str(hand_world),
        ann_file=str(hand_infos / 'nuscenes_infos_train.json'),
        data_prefix=prefix,
        metainfo=dict(classes=DETECTION_CLASSES),
        modality=dict(use_camera=True, use_lidar=True),
        load_type=load_type,
        use_valid_flag=load_type != 'frame_based',  # as MMDetection3D's monocular config does
        test_mode=test_mode,
        box_type_3d='LiDAR' if load_type == 'frame_based' else 'Camera',
        pipeline=[],
    )
    views = 1 if load_type == 'frame_based' else 6
    assert len(dataset) == 6 * views
    info = dataset.get_data_info(0)
    annotation = info['eval_ann_info' if test_mode else 'ann_info']
    assert annotation['gt_bboxes_3d'].tensor.shape[1] == 9
    for image in info['images'].values():
        assert (hand_world / image['img_path']).is_file()


def test_the_test_version_has_no_labels_and_mmdet3d_reads_it(tmp_path):
    root = make_world(tmp_path / 'world', 'v1.0-test')
    (path,) = create_nuscenes_infos(root, tmp_path / 'out', 'v1.0-test')
    assert path.name == 'nuscenes_infos_test.json'
    dataset = NuScenesDataset(
        data_root=str(root),
        ann_file=str(path),
        data_prefix=dict(pts='samples/LIDAR_TOP', sweeps='sweeps/LIDAR_TOP', img=''),
        test_mode=True,
        pipeline=[],
    )
    assert len(dataset) == 6
    info = dataset.get_data_info(0)
    assert 'pts_semantic_mask_path' not in info and info['instances'] == []
    assert info['lidar_points']['sample_data_token']
