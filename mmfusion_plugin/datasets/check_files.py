"""Walk over every file that a dataset's info file names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Optional

from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from tqdm import tqdm

from ..parallel import parallel_map
from .damage import CorruptDataError, unreadable
from .sweep_files import read_sweep
from .transforms.loading import LoadCameraImages, LoadLidarSeg, LoadLidarSweep, check_jpeg_ends
from .wrapped import innermost_dataset_cfgs

KINDS = ('sweeps', 'earlier sweeps', 'labels', 'images')


@dataclass
class Report:
    """Outcome of a walk.

    Attributes:
        files: Number of sound files, by kind: ``sweeps`` (of key frames), ``earlier sweeps``, ``labels``, ``images``.
        bytes: Their size in bytes, by kind.
        points: Number of points in the key frames' sweeps.
        samples: Number of samples.
        faults: One line for each damaged or missing file.
    """

    files: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    points: int = 0
    samples: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Sum up."""
        for kind in self.files:
            self.files[kind] += other.files[kind]
            self.bytes[kind] += other.bytes[kind]
        self.points += other.points
        self.samples += other.samples
        self.faults += other.faults


def dataset_cfgs(config: Config, split: str, data_root: Optional[str] = None) -> list[dict]:
    """Settings of the datasets of ``{split}_dataloader``, without wrappers and pipelines; equal ones name equal files.

    Args:
        config: A full config.
        split: ``train``, ``val`` or ``test``.
        data_root: Root of the data instead of the config's.
    """
    root = {} if data_root is None else {'data_root': data_root}
    changes = {**root, 'pipeline': [], 'test_mode': True, 'earlier_sweeps': True}
    return [{**inner, **changes} for inner in innermost_dataset_cfgs(config[f'{split}_dataloader']['dataset'])]


def build_datasets(config: Config, split: str, data_root: Optional[str] = None) -> list[BaseDataset]:
    """The datasets of :func:`dataset_cfgs`."""
    return [DATASETS.build(cfg) for cfg in dataset_cfgs(config, split, data_root)]


def check_dataset(dataset: BaseDataset, decode: bool = False, workers: int = 1) -> Report:
    """Check each sweep (size, finite values), label file (one defined category per point) and image (there, complete).

    Args:
        dataset: One of :func:`build_datasets`.
        decode: Decode images; otherwise only their start and end markers are looked at.
        workers: Number of processes.

    Raises:
        ChildProcessError: A process was killed.
    """
    report = Report()
    parts = parallel_map(partial(_check_sample, decode), _entries(dataset), workers)
    for part in tqdm(parts, total=len(dataset), unit='sample', desc='Checking'):
        report.add(part)
    return report


def _entries(dataset: BaseDataset) -> Iterator[dict]:
    """Entries whose ``lidar_sweeps`` name each file once: the sweeps of neighbouring key frames overlap."""
    entries = (dataset.get_data_info(index) for index in range(len(dataset)))
    seen: set[str] = set()
    for entry in entries:
        seen.add(entry['lidar_path'])
        fresh = [path for path in entry.get('lidar_sweeps', []) if path not in seen]
        seen.update(fresh)
        yield {**entry, 'lidar_sweeps': fresh}


def _check_sample(decode: bool, results: dict) -> Report:
    report = Report(samples=1)
    if _run(lambda: LoadLidarSweep().transform(results), report):
        _count(report, 'sweeps', results['lidar_path'])
        report.points = len(results['points'])
        if 'pts_semantic_mask_path' in results and _run(lambda: LoadLidarSeg().transform(results), report):
            _count(report, 'labels', results['pts_semantic_mask_path'])
    for path in results['lidar_sweeps']:
        if _run(partial(read_sweep, path, results['num_pts_feats']), report):
            _count(report, 'earlier sweeps', path)
    for camera, image in results['images'].items():
        path = image['img_path']
        load = partial(LoadCameraImages([camera]).transform, results) if decode else partial(_look_at_ends, path)
        if _run(load, report):
            _count(report, 'images', path)
    return report


def _look_at_ends(path: str) -> None:
    """Check a JPEG's start and end without reading what lies between."""
    try:
        with open(path, 'rb') as file:
            start = file.read(2)
            file.seek(max(os.path.getsize(path) - 64, 0))
            check_jpeg_ends(start + file.read(), path)
    except OSError as error:
        raise unreadable(path, error) from error


def _run(load: Callable[[], object], report: Report) -> bool:
    try:
        load()
    except CorruptDataError as error:
        report.faults.append(str(error))
        return False
    return True


def _count(report: Report, kind: str, path: str) -> None:
    report.files[kind] += 1
    report.bytes[kind] += os.path.getsize(path)
