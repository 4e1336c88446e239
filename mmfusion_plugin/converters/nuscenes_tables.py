"""The tables of nuScenes, read as a stream and regrouped by scene."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

from .json_files import iter_json_array
from .nuscenes_taxonomy import ATTRIBUTES, CAMERAS, FINE_NAMES, LIDAR


class Pose(NamedTuple):
    """Rotation ``w, x, y, z`` and translation in metres from a frame into its parent's frame."""

    rotation: tuple[float, ...]
    translation: tuple[float, ...]


class Frame(NamedTuple):
    """One recorded file: a sweep or an image, with the poses at its own time stamp."""

    token: str
    filename: str
    timestamp: int
    sensor2ego: Pose
    ego2global: Pose
    intrinsic: list


class Annotation(NamedTuple):
    """One 3D box of a sample in the global frame; ``velocity`` in m/s, NaN where the tables do not determine it."""

    token: str
    instance_token: str
    category: int
    size: tuple[float, ...]
    pose: Pose
    visibility: int
    num_lidar_pts: int
    num_radar_pts: int
    attribute: int
    velocity: tuple[float, ...] = (float('nan'),) * 3


@dataclass
class Sample:
    """A key frame: one file per sensor, the LiDAR's earlier sweeps (latest first), boxes, and the label file."""

    token: str
    timestamp: int
    frames: dict[str, Frame] = field(default_factory=dict)
    sweeps: list[Frame] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    label_file: str | None = None


@dataclass
class Scene:
    """About 20 seconds of driving; samples in order of time."""

    name: str
    token: str
    samples: list[Sample] = field(default_factory=list)


# The devkit estimates velocities over at most this time between neighbouring samples, in seconds (``box_velocity``).
_LONGEST_STEP = 1.5


class _Table(dict):
    """What is kept of a table's rows, by token."""

    def __init__(self, path: Path, rows: Iterable[tuple[str, Any]]) -> None:
        super().__init__(rows)
        self.path = path

    def find(self, token: str, table: str, owner: str) -> Any:
        """The row ``token``, which the row ``owner`` of ``table`` names; a ValueError says what is missing where."""
        if token not in self:
            raise ValueError(
                f'{self.path} lacks {token!r}, which {table} {owner} names: the tables are incomplete or of different '
                'versions, unpack the metadata again'
            )
        return self[token]


def read_scenes(folder: Path, max_sweeps: int, with_labels: bool) -> list[Scene]:
    """Read the tables of one version.

    Memory stays bounded by what is kept: rows of radars and of images between key frames are dropped while reading.

    Args:
        folder: Folder of the JSON tables, such as ``data/nuscenes/v1.0-trainval``.
        max_sweeps: Number of earlier LiDAR sweeps to attach to each sample.
        with_labels: Read ``lidarseg.json``.

    Returns:
        Scenes in the order of ``scene.json``.

    Raises:
        ValueError: A record refers to a missing one, a category is unknown, or a sample lacks a sensor or its labels.
    """
    scenes = _read_table(folder, 'scene', lambda row: Scene(row['name'], row['token']))
    samples = _read_samples(folder, scenes)
    frames, previous = _read_frames(folder, samples, keep_sweeps=max_sweeps > 0)
    _attach_sweeps(samples, frames, previous, max_sweeps)
    _attach_annotations(folder, samples)
    if with_labels:
        _attach_labels(folder, samples)
    for sample in samples.values():
        missing = [channel for channel in (LIDAR, *CAMERAS) if channel not in sample.frames]
        if missing:
            raise ValueError(
                f'{folder}/sample_data.json has no key frame of {", ".join(missing)} for sample '
                f'{sample.token}: the tables are incomplete, unpack the metadata again'
            )
        if with_labels and sample.label_file is None:
            raise ValueError(
                f'{folder}/lidarseg.json has no record for sample {sample.token} (sample_data '
                f'{sample.frames[LIDAR].token}): unpack nuScenes-lidarseg for this version again'
            )
    return list(scenes.values())


def check_categories(path: Path) -> None:
    """Check that ``category.json`` is the one of the lidarseg package and numbers the categories as published.

    Raises:
        ValueError: An ``index`` is missing or differs, or a category is missing or there twice.
    """
    rows = list(iter_json_array(path))
    for row in rows:
        if 'index' not in row:
            raise ValueError(
                f"{path}: category {row['name']!r} has no 'index', so label ids could not be named: this is the "
                'category.json of nuScenes without lidarseg; replace it by the one in the nuScenes-lidarseg package'
            )
        if row['index'] >= len(FINE_NAMES) or row['index'] < 0 or FINE_NAMES[row['index']] != row['name']:
            raise ValueError(
                f'{path}: category {row["name"]!r} has index {row["index"]}, not the published one '
                '(0 noise .. 31 vehicle.ego): labels would be read as other classes'
            )
    indices = sorted(row['index'] for row in rows)
    if indices != list(range(len(FINE_NAMES))):
        raise ValueError(
            f'{path} has the indices {indices}, not each of 0..{len(FINE_NAMES) - 1} once: replace it by the one in '
            'the nuScenes-lidarseg package'
        )


def _read_table(folder: Path, name: str, keep: Callable[[dict], Any], tokens: set[str] | None = None) -> _Table:
    path = folder / f'{name}.json'
    rows = (row for row in iter_json_array(path) if tokens is None or row['token'] in tokens)
    return _Table(path, ((row['token'], keep(row)) for row in rows))


def _read_samples(folder: Path, scenes: _Table) -> _Table:
    samples = _Table(folder / 'sample.json', ())
    for row in iter_json_array(samples.path):
        samples[row['token']] = sample = Sample(row['token'], row['timestamp'])
        scenes.find(row['scene_token'], 'sample', row['token']).samples.append(sample)
    for scene in scenes.values():
        scene.samples.sort(key=lambda sample: sample.timestamp)
    return samples


def _read_frames(folder: Path, samples: _Table, keep_sweeps: bool) -> tuple[_Table, dict[str, str]]:
    """Attach key frames to samples; return the LiDAR frames and, for each, the token of the one before."""
    channels = _read_table(folder, 'sensor', lambda row: row['channel'])
    mounts = _read_table(folder, 'calibrated_sensor', lambda row: row)
    wanted, rows = {LIDAR, *CAMERAS}, {}
    for row in iter_json_array(folder / 'sample_data.json'):
        mount = mounts.find(row['calibrated_sensor_token'], 'sample_data', row['token'])
        channel = channels.find(mount['sensor_token'], 'calibrated_sensor', mount['token'])
        if channel in wanted and (row['is_key_frame'] or (keep_sweeps and channel == LIDAR)):
            rows[row['token']] = (
                channel,
                row['sample_token'] if row['is_key_frame'] else None,
                row['filename'],
                row['timestamp'],
                row['calibrated_sensor_token'],
                row['ego_pose_token'],
                row['prev'],
            )
    pose_tokens = {row[5] for row in rows.values()}
    poses = _read_table(
        folder, 'ego_pose', lambda row: Pose(tuple(row['rotation']), tuple(row['translation'])), pose_tokens
    )
    lidar_frames, previous = _Table(folder / 'sample_data.json', ()), {}
    for token, (channel, sample_token, filename, timestamp, mount_token, pose_token, prev) in rows.items():
        mount, pose = mounts[mount_token], poses.find(pose_token, 'sample_data', token)
        sensor2ego = Pose(tuple(mount['rotation']), tuple(mount['translation']))
        frame = Frame(token, filename, timestamp, sensor2ego, pose, mount['camera_intrinsic'])
        if sample_token is not None:
            samples.find(sample_token, 'sample_data', token).frames[channel] = frame
        if channel == LIDAR:
            lidar_frames[token], previous[token] = frame, prev
    return lidar_frames, previous


def _attach_sweeps(samples: _Table, frames: _Table, previous: dict[str, str], max_sweeps: int) -> None:
    for sample in samples.values():
        owner = sample.frames[LIDAR].token if LIDAR in sample.frames else ''
        while previous.get(owner) and len(sample.sweeps) < max_sweeps:
            sample.sweeps.append(frames.find(previous[owner], 'sample_data', owner))
            owner = previous[owner]


def _attach_annotations(folder: Path, samples: _Table) -> None:
    names = _read_table(folder, 'category', lambda row: row['name'])
    attributes = _read_table(folder, 'attribute', lambda row: row['name'])
    unknown = set(names.values()) - set(FINE_NAMES)
    if unknown:
        raise ValueError(
            f'{folder}/category.json holds {sorted(unknown)}, which nuScenes does not define: rename them to '
            'the categories of nuscenes_taxonomy.FINE_NAMES'
        )
    categories = _read_table(
        folder,
        'instance',
        lambda row: FINE_NAMES.index(names.find(row['category_token'], 'instance', row['token'])),
    )
    table = folder / 'sample_annotation.json'
    tracks: dict[str, _Table] = defaultdict(lambda: _Table(table, ()))  # instance -> annotation -> for the velocity
    for row in iter_json_array(table):
        owner = ('sample_annotation', row['token'])
        sample = samples.find(row['sample_token'], *owner)
        step = (sample.timestamp, tuple(row['translation']), row['prev'], row['next'])
        tracks[row['instance_token']][row['token']] = step
        attribute = attributes.find(row['attribute_tokens'][0], *owner) if row['attribute_tokens'] else 'None'
        sample.annotations.append(
            Annotation(
                token=row['token'],
                instance_token=row['instance_token'],
                category=categories.find(row['instance_token'], *owner),
                size=tuple(row['size']),
                pose=Pose(tuple(row['rotation']), tuple(row['translation'])),
                visibility=int(row['visibility_token'] or 0),
                num_lidar_pts=row['num_lidar_pts'],
                num_radar_pts=row['num_radar_pts'],
                attribute=ATTRIBUTES.index(attribute),
            )
        )
    for sample in samples.values():
        sample.annotations = [
            box._replace(velocity=_velocity(tracks[box.instance_token], box.token)) for box in sample.annotations
        ]


def _velocity(track: _Table, token: str) -> tuple[float, ...]:
    """Centred difference over the neighbouring samples, one-sided at a track's ends (devkit's ``box_velocity``)."""
    _, _, prev, next_ = track[token]
    unknown = Annotation._field_defaults['velocity']
    if not prev and not next_:
        return unknown
    owner = ('sample_annotation', token)
    first, last = track.find(prev or token, *owner), track.find(next_ or token, *owner)
    # Subtracting seconds, not microseconds, keeps the rounding of the devkit.
    elapsed = 1e-6 * last[0] - 1e-6 * first[0]
    if elapsed > _LONGEST_STEP * (2 if prev and next_ else 1):
        return unknown
    return tuple((b - a) / elapsed for a, b in zip(first[1], last[1]))


def _attach_labels(folder: Path, samples: _Table) -> None:
    files = {row['sample_data_token']: row['filename'] for row in iter_json_array(folder / 'lidarseg.json')}
    for sample in samples.values():
        if LIDAR in sample.frames:
            sample.label_file = files.get(sample.frames[LIDAR].token)
