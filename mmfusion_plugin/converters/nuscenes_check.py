"""Checks of a nuScenes folder before its conversion starts: each failure names the path and what it would cost."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

from .nuscenes_tables import Scene, check_categories
from .nuscenes_taxonomy import CAMERAS, LIDAR, POINT_BYTES, VERSIONS

_TABLES = {
    'scene': 'there would be nothing to convert',
    'sample': 'there would be nothing to convert',
    'sample_data': 'no sweep or image could be found',
    'sensor': 'files could not be told apart by sensor',
    'calibrated_sensor': 'points could not be projected into images',
    'ego_pose': 'points could not be projected into images taken at another time',
    'category': 'labels and boxes would have no class',
    'attribute': 'monocular instances would lack their attribute',
    'instance': 'boxes would have no class and no velocity',
    'sample_annotation': 'all boxes would be missing',
}


def has_labels(version: str) -> bool:
    """Whether the labels of a version are public (those of the test split are not)."""
    return version != 'v1.0-test'


def check_folder(root: Path, version: str, with_labels: bool) -> Path:
    """Check tables and folders before anything is read.

    Args:
        root: Folder that holds ``samples/``, ``sweeps/`` and the version's folder.
        version: One of :data:`~.nuscenes_taxonomy.VERSIONS`.
        with_labels: Whether lidarseg labels are to be converted.

    Returns:
        The folder of the tables.

    Raises:
        FileNotFoundError: A folder or table is missing.
        ValueError: Unknown version, or a ``category.json`` without ids.
    """
    if version not in VERSIONS:
        raise ValueError(f'version {version!r} is none of {", ".join(VERSIONS)}')
    if not root.is_dir():
        raise FileNotFoundError(f'{root} is not a folder: --root-path must be where nuScenes was unpacked')
    tables = root / version
    if not tables.is_dir():
        found = [name for name in VERSIONS if (root / name).is_dir()]
        hint = (
            f'found {", ".join(found)}: pass it with --version'
            if found
            else ('no version lies there: --root-path must be the folder that holds samples/, sweeps/ and v1.0-*/')
        )
        raise FileNotFoundError(f'{tables} not found; {hint}')
    for name, consequence in _TABLES.items():
        if not (tables / f'{name}.json').is_file():
            raise FileNotFoundError(
                f'{name}.json not found in {tables}: {consequence}; unpack the {version} metadata again'
            )
    for channel in (LIDAR, *CAMERAS):
        if not (root / 'samples' / channel).is_dir():
            raise FileNotFoundError(
                f'{root}/samples/{channel} not found: every sample would point to missing files; '
                'unpack the sensor blobs of this version below --root-path'
            )
    if with_labels:
        if not (tables / 'lidarseg.json').is_file():
            raise FileNotFoundError(
                f'lidarseg.json not found in {tables}: labels would be missing; unpack the nuScenes-lidarseg package '
                f'below {root}, or pass --no-labels to convert without them'
            )
        check_categories(tables / 'category.json')
        if not (root / 'lidarseg' / version).is_dir():
            raise FileNotFoundError(
                f'{root}/lidarseg/{version} not found: lidarseg.json names files that are not there; '
                'unpack the nuScenes-lidarseg package again'
            )
    return tables


def missing_files(root: Path, scenes: list[Scene]) -> dict[str, list[str]]:
    """Files of key frames and earlier sweeps that the tables name and the disk lacks, by scene name.

    Folders are listed once instead of asking for each file: 240,000 single questions take minutes on a network disk.
    """
    wanted: dict[str, dict[str, str]] = defaultdict(dict)
    for scene in scenes:
        for sample in scene.samples:
            names = [frame.filename for frame in (*sample.frames.values(), *sample.sweeps)]
            for name in names + ([sample.label_file] if sample.label_file else []):
                wanted[str(PurePosixPath(name).parent)][name] = scene.name
    missing: dict[str, list[str]] = defaultdict(list)
    for folder, names in wanted.items():
        present = set(os.listdir(root / folder)) if (root / folder).is_dir() else set()
        for name, scene_name in names.items():
            if PurePosixPath(name).name not in present:
                missing[scene_name].append(name)
    return dict(missing)


def require_files(root: Path, missing: dict[str, list[str]]) -> None:
    """Raise when files are missing, with the first few by name.

    Raises:
        FileNotFoundError: ``missing`` is not empty.
    """
    files = sorted(name for names in missing.values() for name in names)
    if not files:
        return
    shown = '\n  '.join(str(root / name) for name in files[:5])
    only_sweeps = all(name.startswith('sweeps/') for name in files)
    remedy = (
        'unpack the sweeps, or pass --max-sweeps 0 (segmentation needs none)'
        if only_sweeps
        else 'unpack the missing blobs, or pass --skip-missing-scenes to leave these scenes out'
    )
    raise FileNotFoundError(
        f'{len(files)} files of {len(missing)} scenes that the tables name are not below {root}: training would stop '
        f'at them; {remedy}. The first:\n  {shown}'
    )


def check_sizes(root: Path, sweep: str, label: str | None) -> None:
    """Check that a sweep holds whole points and its label file one byte for each.

    Args:
        root: Root of the data.
        sweep: Name of the sweep below the root.
        label: Name of its label file, if any.

    Raises:
        ValueError: The sweep is empty or truncated, or the counts differ.
    """
    size = (root / sweep).stat().st_size
    if size == 0 or size % POINT_BYTES:
        raise ValueError(
            f'{root / sweep} has {size} bytes, not a positive multiple of {POINT_BYTES}: it is truncated; '
            'unpack it again'
        )
    if label is not None:
        labels = (root / label).stat().st_size
        if labels != size // POINT_BYTES:
            raise ValueError(
                f'{root / label} has {labels} labels for the {size // POINT_BYTES} points of {root / sweep}: '
                'labels would belong to other points; unpack both again'
            )
