"""The generated world through the official devkit: tables, labels, boxes, pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES, FINE_NAMES, FINE_TO_CLASS
from mmfusion_plugin.synthetic import nuscenes_rig as rig

nuscenes = pytest.importorskip('nuscenes', reason='nuscenes-devkit is not installed')
matplotlib.use('Agg')
VERSION = 'v1.0-trainval'


@pytest.fixture(scope='module')
def devkit(tiny_nuscenes: Path):
    from nuscenes import NuScenes

    return NuScenes(VERSION, str(tiny_nuscenes), verbose=False)


def _points(devkit, token: str) -> np.ndarray:
    return np.fromfile(devkit.get_sample_data_path(token), dtype=np.float32).reshape(-1, 5)


def _labels(devkit, token: str) -> np.ndarray:
    return np.fromfile(Path(devkit.dataroot) / devkit.get('lidarseg', token)['filename'], dtype=np.uint8)


def test_devkit_functions_run(devkit, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    sample = devkit.sample[0]
    devkit.list_lidarseg_categories(sort_by='count')
    devkit.get_sample_lidarseg_stats(sample['token'])
    assert 'driveable_surface' in capsys.readouterr().out
    for channel in ('LIDAR_TOP', 'CAM_FRONT'):
        out = tmp_path / f'{channel}.png'
        devkit.render_sample_data(sample['data'][channel], out_path=str(out), verbose=False, show_lidarseg=True)
        assert out.stat().st_size > 10_000


def test_every_reference_resolves(devkit) -> None:
    for table in devkit.table_names:
        for record in getattr(devkit, table):
            for key, value in record.items():
                if not key.endswith('_token') or key in ('visibility_token',) or value == '':
                    continue
                name = key[: -len('_token')]
                for prefix in ('first_', 'last_'):
                    name = name[len(prefix) :] if name.startswith(prefix) else name
                devkit.get('sample_annotation' if name == 'annotation' else name, value)
            assert len(record['token']) == 32 or table == 'visibility'
    for record in devkit.sample_data:
        assert Path(devkit.get_sample_data_path(record['token'])).is_file()


@pytest.mark.parametrize('table', ['sample', 'sample_data', 'sample_annotation'])
def test_chains_are_closed(devkit, table: str) -> None:
    for record in getattr(devkit, table):
        if record['next']:
            after = devkit.get(table, record['next'])
            assert after['prev'] == record['token']
    for scene in devkit.scene:
        token, count = scene['first_sample_token'], 0
        while token:
            last, token, count = token, devkit.get('sample', token)['next'], count + 1
        assert (last, count) == (scene['last_sample_token'], scene['nbr_samples'])
    for instance in devkit.instance:
        token, count = instance['first_annotation_token'], 0
        while token:
            last, token, count = token, devkit.get('sample_annotation', token)['next'], count + 1
        assert (last, count) == (instance['last_annotation_token'], instance['nbr_annotations'])


def test_scenes_carry_official_names(devkit) -> None:
    from nuscenes.utils import splits

    names = [scene['name'] for scene in devkit.scene]
    assert sum(name in splits.train for name in names) == 2
    assert sum(name in splits.val for name in names) == 1


def test_sweep_has_the_layout_of_a_real_one(devkit, real_keyframe: Path) -> None:
    real = np.fromfile(next(real_keyframe.glob('*.pcd.bin')), dtype=np.float32).reshape(-1, 5)
    made = _points(devkit, devkit.sample[0]['data']['LIDAR_TOP'])
    assert made.shape == real.shape
    assert np.array_equal(made[:, 4], real[:, 4])
    elevation = []
    for points in (made, real):
        far = np.linalg.norm(points[:, :3], axis=1) > 3
        angle = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
        elevation.append([np.median(angle[far & (points[:, 4] == ring)]) for ring in range(4, 32)])
    assert np.allclose(*elevation, atol=0.6)
    assert 0.3 < np.median(made[:, 3]) / np.median(real[:, 3]) < 3


def test_every_class_in_both_splits(devkit) -> None:
    from nuscenes.utils import splits

    counts = {'train': np.zeros(17, int), 'val': np.zeros(17, int)}
    for scene in devkit.scene:
        token = scene['first_sample_token']
        while token:
            sample = devkit.get('sample', token)
            classes = np.asarray(FINE_TO_CLASS)[_labels(devkit, sample['data']['LIDAR_TOP'])]
            counts['train' if scene['name'] in splits.train else 'val'] += np.bincount(classes, minlength=17)
            token = sample['next']
    for split, count in counts.items():
        rare = {name: int(n) for name, n in zip(CLASSES, count) if n < 15}
        assert not rare, f'{split}: {rare}'


def test_object_points_lie_in_their_boxes(devkit) -> None:
    """Points of annotated categories are inside a box of that category, and the boxes count the points they hold."""
    from nuscenes.utils.geometry_utils import points_in_box

    boxed = {i for i, name in enumerate(FINE_NAMES) if name.startswith(('vehicle.', 'human.', 'movable_object.'))}
    boxed.discard(FINE_NAMES.index('vehicle.ego'))
    inside = total = 0
    for sample in devkit.sample[:3]:
        token = sample['data']['LIDAR_TOP']
        points, labels = _points(devkit, token)[:, :3].T, _labels(devkit, token)
        covered = np.zeros(len(labels), dtype=bool)
        for box in devkit.get_sample_data(token)[1]:
            mask = points_in_box(box, points)
            covered |= mask & (labels == FINE_NAMES.index(box.name))
            assert abs(int(mask.sum()) - devkit.get('sample_annotation', box.token)['num_lidar_pts']) <= 1
        wanted = np.isin(labels, list(boxed))
        inside, total = inside + (covered & wanted).sum(), total + wanted.sum()
    assert total > 500
    assert inside / total > 0.985


def test_velocity_comes_from_the_chain(devkit) -> None:
    speeds = []
    for record in devkit.sample_annotation:
        moving = record['attribute_tokens'] and devkit.get('attribute', record['attribute_tokens'][0])['name']
        if record['prev'] or record['next']:
            speed = np.linalg.norm(devkit.box_velocity(record['token'])[:2])
            if moving == 'vehicle.parked':
                assert speed == pytest.approx(0, abs=1e-6)
            elif moving == 'vehicle.moving':
                speeds.append(speed)
    assert speeds and min(speeds) > 2


def test_visibility_levels_vary(devkit) -> None:
    levels = [record['visibility_token'] for record in devkit.sample_annotation]
    assert set(levels) == {'1', '2', '3', '4'}


def test_images_are_photographs_in_size(devkit) -> None:
    for channel in rig.CAMERAS:
        path = Path(devkit.get_sample_data_path(devkit.sample[0]['data'][channel]))
        image = cv2.imread(str(path))
        assert image.shape == (900, 1600, 3)
        assert image.std() > 15
        assert 40_000 < path.stat().st_size < 400_000


def _points_in_images(devkit, sample: dict, width: int = 4):
    """Yields (image, fine labels (N,), columns (N,), lines (N,)) of the LiDAR points seen at least ``width`` pixels
    inside each image, by the devkit's own chain of poses."""
    from nuscenes.utils.data_classes import LidarPointCloud
    from nuscenes.utils.geometry_utils import view_points
    from pyquaternion import Quaternion

    token = sample['data']['LIDAR_TOP']
    labels = _labels(devkit, token)
    for channel in rig.CAMERAS:
        cloud = LidarPointCloud.from_file(devkit.get_sample_data_path(token))
        for name, inverse in (('LIDAR_TOP', False), (channel, True)):
            data = devkit.get('sample_data', sample['data'][name])
            steps = [
                devkit.get('calibrated_sensor', data['calibrated_sensor_token']),
                devkit.get('ego_pose', data['ego_pose_token']),
            ]
            for step in reversed(steps) if inverse else steps:
                rotation, shift = Quaternion(step['rotation']).rotation_matrix, np.array(step['translation'])
                if inverse:
                    cloud.translate(-shift)
                    cloud.rotate(rotation.T)
                else:
                    cloud.rotate(rotation)
                    cloud.translate(shift)
        intrinsic = np.array(steps[0]['camera_intrinsic'])
        u, v, _ = view_points(cloud.points[:3], intrinsic, normalize=True)
        inside = (cloud.points[2] > 1) & (u > width) & (u < 1599 - width) & (v > width) & (v < 899 - width)
        image = cv2.imread(devkit.get_sample_data_path(sample['data'][channel])).astype(np.float32)
        yield image, labels[inside], np.rint(u[inside]).astype(int), np.rint(v[inside]).astype(int)


def test_appearance_carries_the_class_of_the_ground(devkit) -> None:
    """Colour and contrast around a point's pixel tell road, pavement and grass apart in a scene not learnt from.

    The three lie within 0.2 m of each other in height, where points alone say little. A nearest-mean classifier, the
    simplest there is, must be right in far more than the third that guessing gives.
    """
    from nuscenes.utils import splits

    names = [f'flat.{name}' for name in ('driveable_surface', 'sidewalk', 'terrain')]
    rows = {True: ([], []), False: ([], [])}
    for sample in devkit.sample[::2]:
        train = devkit.get('scene', sample['scene_token'])['name'] in splits.train
        for image, labels, column, line in _points_in_images(devkit, sample):
            mean, square = cv2.blur(image, (7, 7)), cv2.blur(image**2, (7, 7))
            spread = np.sqrt(np.maximum(square - mean**2, 0)).mean(-1)
            light = mean.sum(-1) + 1.0
            feature = np.stack([mean[..., 0] / light, mean[..., 2] / light, light / 765, spread / light * 3], -1)
            for number, name in enumerate(names):
                picked = labels == FINE_NAMES.index(name)
                rows[train][0].append(feature[line[picked], column[picked]])
                rows[train][1].append(np.full(int(picked.sum()), number))
    (learn, truth), (ask, wanted) = ((np.concatenate(f), np.concatenate(n)) for f, n in (rows[True], rows[False]))
    scale = learn.std(0)
    means = np.stack([learn[truth == number].mean(0) for number in range(3)]) / scale
    answer = ((ask[:, None] / scale - means) ** 2).sum(-1).argmin(1)
    recalls = [(answer[wanted == number] == number).mean() for number in range(3)]
    assert all((wanted == number).sum() > 300 for number in range(3))
    assert np.mean(recalls) > 0.6, recalls
    assert min(recalls) > 0.4, recalls


def test_map_prior_holds_the_ego_path_and_not_the_houses(devkit) -> None:
    """The ego car drives on the prior, road and pavement points lie on it and those of houses do not."""
    from pyquaternion import Quaternion

    for scene in devkit.scene:
        mask = devkit.get('map', devkit.get('log', scene['log_token'])['map_token'])['mask']
        token = devkit.get('sample', scene['first_sample_token'])['data']['LIDAR_TOP']
        data = devkit.get('sample_data', token)
        place = _points(devkit, token)[:, :3].astype(np.float64)
        for step in (
            devkit.get('calibrated_sensor', data['calibrated_sensor_token']),
            devkit.get('ego_pose', data['ego_pose_token']),
        ):
            place = place @ Quaternion(step['rotation']).rotation_matrix.T + step['translation']
        x, y, _ = step['translation']
        assert mask.is_on_mask(x, y).all()
        labels, close = _labels(devkit, token), np.hypot(place[:, 0] - x, place[:, 1] - y) < 35
        share = {}
        for name in ('flat.driveable_surface', 'static.manmade', 'flat.terrain'):
            here = close & (labels == FINE_NAMES.index(name))
            share[name] = mask.is_on_mask(place[here, 0], place[here, 1]).mean()
        assert share['flat.driveable_surface'] > 0.97, share
        assert share['static.manmade'] < 0.5 and share['flat.terrain'] < 0.5, share


def test_lidarseg_package_is_complete(tiny_nuscenes: Path) -> None:
    categories = json.loads((tiny_nuscenes / VERSION / 'category.json').read_text())
    assert [c['name'] for c in sorted(categories, key=lambda c: c['index'])] == list(FINE_NAMES)
    sweeps = list((tiny_nuscenes / 'sweeps' / 'LIDAR_TOP').iterdir())
    assert len(sweeps) == 3 * 1
