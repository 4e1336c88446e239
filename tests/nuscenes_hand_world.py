"""A tiny nuScenes written by hand: every table, three scenes, boxes at the edges of the images and behind them.

Small enough (0.2 s) that each test may damage a copy of its own; the numbers come from a fixed random state.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from pyquaternion import Quaternion

from mmfusion_plugin.converters.nuscenes_taxonomy import ATTRIBUTES, CAMERAS, FINE_NAMES, LIDAR

SCENES = {
    'v1.0-trainval': ('scene-0001', 'scene-0003', 'scene-0002'),  # train, val, train
    'v1.0-mini': ('scene-0061', 'scene-0103'),  # train, val
    'v1.0-test': ('scene-0077', 'scene-0078'),
}
POINTS = 300
_SENSOR_STEP = 50_000  # microseconds between two files of a sensor; every second one belongs to a key frame
_YAWS = dict(zip(CAMERAS, (0.0, -55.0, 55.0, 180.0, 110.0, -110.0)))


def token(*parts: object) -> str:
    """Token of 32 hexadecimal digits."""
    return hashlib.md5(repr(parts).encode()).hexdigest()


def make_world(root: Path, version: str = 'v1.0-trainval', samples: int = 3) -> Path:
    """Write the world below ``root`` and return ``root``."""
    random = np.random.default_rng(7)
    tables = _static_tables()
    image = cv2.imencode('.jpg', np.full((900, 1600, 3), 90, np.uint8))[1].tobytes()
    for position, name in enumerate(SCENES[version]):
        _write_scene(root, version, tables, random, name, position, samples, image)
    folder = root / version
    folder.mkdir(parents=True)
    if version == 'v1.0-test':
        tables.update(sample_annotation=[], instance=[])
        del tables['lidarseg']
    for table, rows in tables.items():
        (folder / f'{table}.json').write_text(json.dumps(rows, indent=0))
    return root


def _static_tables() -> dict[str, list]:
    names = ('scene', 'sample', 'sample_data', 'ego_pose', 'sample_annotation', 'instance', 'lidarseg')
    tables: dict[str, list] = {name: [] for name in names}
    tables['category'] = [
        {'token': token('c', n), 'name': n, 'index': i, 'description': ''} for i, n in enumerate(FINE_NAMES)
    ]
    tables['attribute'] = [{'token': token('a', n), 'name': n, 'description': ''} for n in ATTRIBUTES[:-1]]
    tables['visibility'] = [{'token': str(i), 'level': '', 'description': ''} for i in range(1, 5)]
    tables['log'] = [
        {'token': token('log'), 'logfile': '', 'vehicle': '', 'date_captured': '2020-01-01', 'location': 'x'}
    ]
    tables['map'] = [
        {'token': token('map'), 'log_tokens': [token('log')], 'category': 'semantic_prior', 'filename': ''}
    ]
    channels = (LIDAR, *CAMERAS, 'RADAR_FRONT')
    modality = {'L': 'lidar', 'C': 'camera', 'R': 'radar'}
    tables['sensor'] = [{'token': token('s', c), 'channel': c, 'modality': modality[c[0]]} for c in channels]
    tables['calibrated_sensor'] = [_mount(channel) for channel in channels]
    return tables


def _mount(channel: str) -> dict:
    tilt = Quaternion(axis=[0.3, 1, 0.2], degrees=0.7)
    if channel.startswith('CAM'):
        # Axes of a camera that looks along the car's x axis: right, down, forward.
        forward = Quaternion(matrix=np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]))
        rotation = Quaternion(axis=[0, 0, 1], degrees=_YAWS[channel]) * forward * tilt
        intrinsic = [[1260.5, 0.0, 811.25], [0.0, 1259.75, 488.5], [0.0, 0.0, 1.0]]
    else:
        rotation, intrinsic = Quaternion(axis=[0, 0, 1], degrees=-90) * tilt, []
    position = [1.2, 0.1, 1.6] if channel.startswith('CAM') else [0.94, 0.0, 1.84]
    return {
        'token': token('m', channel),
        'sensor_token': token('s', channel),
        'translation': position,
        'rotation': rotation.elements.tolist(),
        'camera_intrinsic': intrinsic,
    }


def _write_scene(root, version, tables, random, name, position, samples, image) -> None:
    start = 1_500_000_000_000_000 + position * 10**9
    scene = token('scene', name)
    tables['scene'].append({
        'token': scene, 'name': name, 'log_token': token('log'), 'description': '', 'nbr_samples': samples,
        'first_sample_token': token('sample', name, 0), 'last_sample_token': token('sample', name, samples - 1),
    })  # fmt: skip
    for i in range(samples):
        tables['sample'].append({
            'token': token('sample', name, i), 'timestamp': start + i * 500_000, 'scene_token': scene,
            'prev': token('sample', name, i - 1) if i else '',
            'next': token('sample', name, i + 1) if i + 1 < samples else '',
        })  # fmt: skip
    for number, channel in enumerate((LIDAR, *CAMERAS, 'RADAR_FRONT')):
        # Two files per key frame: the one before it is a sweep; sensors fire one after another.
        times = [start + i * 500_000 + k * _SENSOR_STEP + number * 6_000 for i in range(samples) for k in (-1, 0)]
        for j, time in enumerate(times):
            _write_file(root, version, tables, random, name, channel, j, len(times), time, image)
    _annotate(tables, random, name, samples, start)


def _ego_pose(name: str, time: int) -> tuple[list, list]:
    seconds = (time % 10**9) * 1e-6
    heading = Quaternion(axis=[0.01, 0.02, 1], radians=0.4 + 0.15 * seconds)
    return [600.0 + 9.0 * seconds, 1500.0 - 3.0 * seconds, 0.3], heading.elements.tolist()


def _write_file(root, version, tables, random, name, channel, j, count, time, image) -> None:
    key = bool(j % 2)
    suffix = {'L': '.pcd.bin', 'C': '.jpg', 'R': '.pcd'}[channel[0]]
    filename = f'{"samples" if key else "sweeps"}/{channel}/{name}__{channel}__{time}{suffix}'
    sd = token('sd', name, channel, j)
    translation, rotation = _ego_pose(name, time)
    tables['ego_pose'].append({'token': sd, 'timestamp': time, 'translation': translation, 'rotation': rotation})
    tables['sample_data'].append({
        'token': sd, 'sample_token': token('sample', name, j // 2), 'ego_pose_token': sd, 'timestamp': time,
        'calibrated_sensor_token': token('m', channel), 'fileformat': suffix[1:], 'is_key_frame': key,
        'height': 900 if channel[0] == 'C' else 0, 'width': 1600 if channel[0] == 'C' else 0, 'filename': filename,
        'prev': token('sd', name, channel, j - 1) if j else '',
        'next': token('sd', name, channel, j + 1) if j + 1 < count else '',
    })  # fmt: skip
    path = root / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    if channel[0] == 'C':
        path.write_bytes(image)
    elif channel == LIDAR:
        xyz = random.uniform((-60, -60, -3), (60, 60, 4), (POINTS, 3))
        rest = np.column_stack([random.integers(0, 256, POINTS), random.integers(0, 32, POINTS)])
        np.hstack([xyz, rest]).astype(np.float32).tofile(path)
        if key and version != 'v1.0-test':
            label = f'lidarseg/{version}/{sd}_lidarseg.bin'
            (root / label).parent.mkdir(parents=True, exist_ok=True)
            random.integers(0, 32, POINTS).astype(np.uint8).tofile(root / label)
            tables['lidarseg'].append({'token': sd, 'sample_data_token': sd, 'filename': label})
    else:
        path.write_bytes(b'')


def _annotate(tables, random, name, samples, start) -> None:
    """Forty objects around the car, each moving on its own; some miss the first or last key frame."""
    for k in range(40):
        category = random.choice([2, 3, 4, 9, 12, 14, 15, 17, 18, 21, 22, 23, 1, 10])
        first, last = (0, samples) if k % 4 else (k // 4 % 2, max(1, samples - 1))
        size = random.uniform((0.5, 0.6, 1.0), (2.6, 9.0, 3.5))
        centre = np.array([600.0, 1500.0, 1.0]) + random.normal(0, (14, 14, 0.3))
        velocity, rotation = (
            random.normal(0, 3, 3) * (1, 1, 0),
            Quaternion(axis=[0, 0.02, 1], degrees=random.uniform(0, 360)),
        )
        instance = token('instance', name, k)
        tables['instance'].append({
            'token': instance, 'category_token': token('c', FINE_NAMES[category]), 'nbr_annotations': last - first,
            'first_annotation_token': token('ann', name, k, first),
            'last_annotation_token': token('ann', name, k, last - 1),
        })  # fmt: skip
        for i in range(first, last):
            tables['sample_annotation'].append({
                'token': token('ann', name, k, i), 'sample_token': token('sample', name, i), 'instance_token': instance,
                'visibility_token': str(k % 5) if k % 5 else '', 'translation': (centre + velocity * 0.5 * i).tolist(),
                'attribute_tokens': [token('a', ATTRIBUTES[k % 8])] if k % 3 else [],
                'size': size.tolist(), 'rotation': rotation.elements.tolist(),
                'num_lidar_pts': int(k % 7), 'num_radar_pts': int(k % 2),
                'prev': token('ann', name, k, i - 1) if i > first else '',
                'next': token('ann', name, k, i + 1) if i + 1 < last else '',
            })  # fmt: skip
