"""Drives through one generated street and records it: files of all sensors, and the scene's rows of the tables."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Set, Tuple

import cv2
import numpy as np

from mmfusion_plugin.files import write_bytes
from mmfusion_plugin.synthetic import nuscenes_rig as rig
from mmfusion_plugin.synthetic.camera import Camera, visible_share
from mmfusion_plugin.synthetic.lidar import scan
from mmfusion_plugin.synthetic.nuscenes_tables import (
    SCENE_TABLES,
    Record,
    attribute_tokens,
    category_token,
    token,
    visibility_token,
    write_json,
)
from mmfusion_plugin.synthetic.raycast import RayCaster
from mmfusion_plugin.synthetic.street import build_world

KEYFRAME_US = 500_000
JPEG_QUALITY = 82


@dataclass(frozen=True)
class ScenePlan:
    """What one scene is: its official ``name``, where and when it is recorded, and how much of it.

    ``origin`` is the scene's pose (x m, y m, yaw rad) in the map of ``location``; ``labelled`` is False for test.
    """

    name: str
    index: int
    seed: int
    version: str
    location: str
    logfile: str
    date: str
    start_us: int
    origin: Tuple[float, float, float]
    keyframes: int
    sweeps: int
    labelled: bool

    def file_name(self, channel: str, timestamp: int, key: bool) -> str:
        """File of a sensor at ``timestamp`` (microseconds), below the root; ``key`` for keyframes."""
        folder, ending = ('samples' if key else 'sweeps'), ('pcd.bin' if channel == 'LIDAR_TOP' else 'jpg')
        return f'{folder}/{channel}/{self.logfile}__{channel}__{timestamp}.{ending}'

    def keyframe_time(self, keyframe: int) -> int:
        """Time of a keyframe's LiDAR turn in microseconds."""
        return self.start_us + keyframe * KEYFRAME_US


class SceneRecorder:
    """Writes one scene into ``root``; ``advance`` is called after each keyframe."""

    def __init__(self, root: Path, plan: ScenePlan, advance: Callable[[], None]) -> None:
        self.root, self.plan, self.advance = root, plan, advance
        self.tables: Dict[str, List[Record]] = {name: [] for name in SCENE_TABLES}
        rng = np.random.default_rng([plan.seed, plan.index])
        self.world = build_world(rng, plan.keyframes * KEYFRAME_US * 1e-6)
        self.caster = RayCaster(self.world)
        self.to_global = rig.planar_pose(*plan.origin)
        self.last: Dict[str, Record] = {}
        self.found: Dict[int, List[Tuple[int, Record]]] = {}
        self.folders: Set[Path] = set()

    def token(self, *parts: object) -> str:
        """Token of one of the scene's records, such as ``token('instance', actor)``."""
        plan = self.plan
        return token(plan.version, plan.seed, plan.name, *parts)

    def _write(self, name: str, data: bytes) -> None:
        """Writes one of the scene's many files; only the part file, written after all, says that they are whole."""
        path = self.root / name
        if path.parent not in self.folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.folders.add(path.parent)
        path.write_bytes(data)

    def _ego(self, timestamp: int) -> np.ndarray:
        """(4, 4) ego pose in the scene's frame at ``timestamp`` (microseconds)."""
        return rig.planar_pose(*self.world.ego_pose((timestamp - self.plan.start_us) * 1e-6))

    def _sample_data(self, channel: str, timestamp: int, sample: str, key: bool, size: Tuple[int, int]) -> Record:
        """Adds the rows of one file; links it to the channel's previous one."""
        x, y, yaw = self.world.ego_pose((timestamp - self.plan.start_us) * 1e-6)
        place = self.to_global @ [x, y, 0.0, 1.0]
        record = {
            'token': self.token(channel, timestamp),
            'sample_token': sample,
            'ego_pose_token': self.token('ego_pose', channel, timestamp),
            'calibrated_sensor_token': self.token('calibrated_sensor', channel),
            'timestamp': timestamp,
            'fileformat': 'jpg' if size[0] else 'pcd',
            'is_key_frame': key,
            'height': size[1],
            'width': size[0],
            'filename': self.plan.file_name(channel, timestamp, key),
            'prev': '',
            'next': '',
        }
        if channel in self.last:
            record['prev'], self.last[channel]['next'] = self.last[channel]['token'], record['token']
        self.last[channel] = record
        pose = {
            'token': record['ego_pose_token'],
            'timestamp': timestamp,
            'rotation': list(rig.yaw_quaternion(yaw + self.plan.origin[2])),
            'translation': [float(place[0]), float(place[1]), 0.0],
        }
        self.tables['sample_data'].append(record)
        self.tables['ego_pose'].append(pose)
        return record

    def _sweep(self, timestamp: int, sample: str, key: bool) -> Tuple[np.ndarray, np.ndarray]:
        """Records one LiDAR turn; returns its points (N, 5) and its pose (4, 4) in the scene's frame."""
        plan = self.plan
        self.caster.set_time((timestamp - plan.start_us) * 1e-6)
        pose = self._ego(timestamp) @ rig.rigid(rig.LIDAR_TRANSLATION, rig.LIDAR_ROTATION)
        rng = np.random.default_rng([plan.seed, plan.index, timestamp - plan.start_us])
        points, labels, _ = scan(self.caster, pose, self.world.ego[0], rng)
        record = self._sample_data('LIDAR_TOP', timestamp, sample, key, (0, 0))
        self._write(record['filename'], points.tobytes())
        if key and plan.labelled:
            name = f'lidarseg/{plan.version}/{record["token"]}_lidarseg.bin'
            self._write(name, labels.tobytes())
            row = {'token': record['token'], 'sample_data_token': record['token'], 'filename': name}
            self.tables['lidarseg'].append(row)
        return points, pose

    def cameras(self, timestamp: int) -> Iterator[Tuple[str, int, Camera]]:
        """Channel, moment (microseconds) and view of each of the six images around a LiDAR timestamp."""
        for channel, calibration in rig.CAMERAS.items():
            moment = timestamp + calibration.offset_us
            pose = self._ego(moment) @ calibration.camera_to_ego
            self.caster.set_time((moment - self.plan.start_us) * 1e-6, pose)
            yield channel, moment, Camera(self.caster, pose, calibration.intrinsic)

    def _photograph(self, timestamp: int, sample: str) -> None:
        """Records these images."""
        for channel, moment, camera in self.cameras(timestamp):
            seed = np.random.default_rng([self.plan.seed, self.plan.index, moment - self.plan.start_us + 2**32])
            done, data = cv2.imencode('.jpg', camera.picture(seed), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if not done:
                raise RuntimeError(f'OpenCV could not encode the image of {channel} at {moment}')
            size = (rig.IMAGE_WIDTH, rig.IMAGE_HEIGHT)
            self._write(self._sample_data(channel, moment, sample, True, size)['filename'], data.tobytes())

    def _annotate(self, keyframe: int, timestamp: int, points: np.ndarray, lidar_pose: np.ndarray) -> None:
        """Notes every actor's box at a keyframe, with its number of points and its visibility."""
        time = (timestamp - self.plan.start_us) * 1e-6
        self.caster.set_time(time)
        cameras = [(self._ego(timestamp) @ c.camera_to_ego, c.intrinsic) for c in rig.CAMERAS.values()]
        place = points[:, :3].astype(np.float64) @ lidar_pose[:3, :3].T + lidar_pose[:3, 3]
        near = []
        for number, actor in enumerate(self.world.actors):
            centre, size, yaw = actor.box(time)
            if np.hypot(*(centre[:2] - lidar_pose[:2, 3])) < 90:
                near.append((number, centre, size, yaw))
        place = place[np.argsort(place[:, 0])]
        shares = visible_share(self.caster, [item[0] for item in near], cameras)
        for (number, centre, size, yaw), share in zip(near, shares):
            first, last = np.searchsorted(place[:, 0], [centre[0] - max(size), centre[0] + max(size)])
            local = place[first:last] - centre
            along = local[:, 0] * np.cos(yaw) + local[:, 1] * np.sin(yaw)
            across = local[:, 1] * np.cos(yaw) - local[:, 0] * np.sin(yaw)
            inside = (
                (np.abs(along) <= size[1] / 2) & (np.abs(across) <= size[0] / 2) & (np.abs(local[:, 2]) <= size[2] / 2)
            )
            world = self.to_global @ [*centre, 1.0]
            actor = self.world.actors[number]
            record = {
                'token': self.token('annotation', number, keyframe),
                'sample_token': self.token('sample', keyframe),
                'instance_token': self.token('instance', number),
                'visibility_token': visibility_token(share),
                'attribute_tokens': attribute_tokens(actor.attribute),
                'translation': [float(v) for v in world[:3]],
                'size': [float(v) for v in size],
                'rotation': list(rig.yaw_quaternion(yaw + self.plan.origin[2])),
                'prev': '',
                'next': '',
                'num_lidar_pts': int(inside.sum()),
                'num_radar_pts': 0,
            }
            self.found.setdefault(number, []).append((keyframe, record))

    def _close_tracks(self) -> None:
        """Keeps each actor from its first to its last keyframe with a LiDAR point, and links its annotations."""
        for number, track in sorted(self.found.items()):
            seen = [i for i, (_, record) in enumerate(track) if record['num_lidar_pts'] > 0]
            if not seen:
                continue
            records = [record for _, record in track[seen[0] : seen[-1] + 1]]
            for before, after in zip(records, records[1:]):
                before['next'], after['prev'] = after['token'], before['token']
            self.tables['instance'].append(
                {
                    'token': records[0]['instance_token'],
                    'category_token': category_token(self.world.actors[number].category),
                    'nbr_annotations': len(records),
                    'first_annotation_token': records[0]['token'],
                    'last_annotation_token': records[-1]['token'],
                }
            )
            self.tables['sample_annotation'] += records

    def record(self) -> None:
        """Records the whole scene and, last, the part file that marks it as finished."""
        plan = self.plan
        samples = [self.token('sample', k) for k in range(plan.keyframes)]
        step = KEYFRAME_US // (plan.sweeps + 1)
        for k, sample in enumerate(samples):
            timestamp = plan.keyframe_time(k)
            if k:
                for extra in range(1, plan.sweeps + 1):
                    self._sweep(timestamp - KEYFRAME_US + extra * step, sample, False)
            points, pose = self._sweep(timestamp, sample, True)
            self._photograph(timestamp, sample)
            if plan.labelled:
                self._annotate(k, timestamp, points, pose)
            self.tables['sample'].append(
                {
                    'token': sample,
                    'timestamp': timestamp,
                    'prev': samples[k - 1] if k else '',
                    'next': samples[k + 1] if k + 1 < len(samples) else '',
                    'scene_token': self.token('scene'),
                }
            )
            self.advance()
        self._close_tracks()
        self._describe(samples)
        done, mask = cv2.imencode('.png', cv2.resize(self.world.drivable, None, fx=0.5, fy=0.5))
        os.sync()  # once for all files: the part file must not outlive them when the power fails
        write_bytes(part_path(self.root, plan).with_suffix('.png'), mask.tobytes())
        origin = list(self.world.paint_origin)
        write_json(part_path(self.root, plan), {'plan': asdict(plan), 'map_origin': origin, 'tables': self.tables})

    def _describe(self, samples: List[str]) -> None:
        plan = self.plan
        self.tables['log'].append(
            {
                'token': self.token('log'),
                'logfile': plan.logfile,
                'vehicle': plan.logfile.split('-')[0],
                'date_captured': plan.date,
                'location': plan.location,
            }
        )
        self.tables['scene'].append(
            {
                'token': self.token('scene'),
                'log_token': self.token('log'),
                'nbr_samples': len(samples),
                'first_sample_token': samples[0],
                'last_sample_token': samples[-1],
                'name': plan.name,
                'description': f'Generated: {self.world.description}',
            }
        )
        rows = [('LIDAR_TOP', rig.LIDAR_TRANSLATION, rig.LIDAR_ROTATION, [])]
        rows += [(name, c.translation, c.rotation, c.intrinsic.tolist()) for name, c in rig.CAMERAS.items()]
        for channel, translation, rotation, intrinsic in rows:
            self.tables['calibrated_sensor'].append(
                {
                    'token': self.token('calibrated_sensor', channel),
                    'sensor_token': token('sensor', channel),
                    'translation': list(translation),
                    'rotation': (np.asarray(rotation) / np.linalg.norm(rotation)).tolist(),
                    'camera_intrinsic': intrinsic,
                }
            )


def part_path(root: Path, plan: ScenePlan) -> Path:
    """Where a finished scene's rows wait until all scenes are there."""
    return root / '.parts' / plan.version / f'{plan.name}.json'
