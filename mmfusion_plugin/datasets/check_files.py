"""Walk over every file that a dataset's info file names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Optional

from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from tqdm import tqdm

from ..parallel import parallel_map
from .check_images import check_masked_image
from .check_report import Report
from .check_scans import check_scan, check_view
from .check_shapes import check_shape
from .check_sweeps import check_sweep
from .masked_base_dataset import MaskedDataset
from .wrapped import innermost_dataset_cfgs

CHECKS = {
    'MaskedCUB': check_masked_image,
    'MaskedFlowers102': check_masked_image,
    'MaskedImageDataset': check_masked_image,
    'MaskedOxfordPets': check_masked_image,
    'MaskedVOC': check_masked_image,
    'NuScenesLidarSegDataset': check_sweep,
    'Pix3DDataset': check_shape,
    'ScanNetRGBDDataset': check_scan,
    'ScanNetViewDataset': check_view,
    'ShapeNetR2N2Dataset': check_shape,
}
"""How a sample of each dataset is checked."""

_MASKED = {'missing_image': 'keep', 'missing_mask': 'keep', 'few_shot': None}
_MORE_FILES = {  # arguments that make a dataset name all its files, missing ones too
    **{name: _MASKED for name, check in CHECKS.items() if check is check_masked_image},
    'NuScenesLidarSegDataset': {'earlier_sweeps': True},
    'Pix3DDataset': {'missing': 'keep'},
    'ShapeNetR2N2Dataset': {'missing': 'keep', 'views': None},
}
_SHARED = ('cloud_path', 'voxel_path', 'viewpoints_path')  # files of an object, which all its pictures name
_SHARED_BY_OBJECTS = ('img_path', 'mask_path', 'depth_path')  # files of an image, which all its objects name


def dataset_cfgs(config: Config, split: str, data_root: Optional[str] = None) -> list[dict]:
    """Settings of the datasets of ``{split}_dataloader``, without wrappers and pipelines; equal ones name equal files.

    Args:
        config: A full config.
        split: ``train``, ``val`` or ``test``.
        data_root: Root of the data instead of the config's.

    Raises:
        ValueError: A dataset is none of :data:`CHECKS`.
    """
    root = {} if data_root is None else {'data_root': data_root}
    found = innermost_dataset_cfgs(config[f'{split}_dataloader']['dataset'])
    for inner in found:
        if inner['type'] not in CHECKS:
            raise ValueError(f'{split}_dataloader has a {inner["type"]}; files of {", ".join(CHECKS)} can be checked')
    changes = {**root, 'pipeline': [], 'test_mode': True}
    return [{**inner, **changes, **_more_files(inner)} for inner in found]


def _more_files(cfg: dict) -> dict:
    more = dict(_MORE_FILES.get(cfg['type'], {}))
    if cfg.get('missing_mask') == 'whole':  # images without a mask are as they should be
        more.pop('missing_mask', None)
    return more


def build_datasets(config: Config, split: str, data_root: Optional[str] = None) -> list[BaseDataset]:
    """The datasets of :func:`dataset_cfgs`."""
    return [DATASETS.build(cfg) for cfg in dataset_cfgs(config, split, data_root)]


def check_dataset(dataset: BaseDataset, decode: bool = False, workers: int = 1) -> Report:
    """Check each file of a dataset, see :data:`CHECKS`.

    Args:
        dataset: One of :func:`build_datasets`.
        decode: Decode images; otherwise only their start and end markers are looked at.
        workers: Number of processes.

    Raises:
        ChildProcessError: A process was killed.
    """
    report, check = Report(), CHECKS[type(dataset).__name__]
    parts = parallel_map(partial(check, decode), _entries(dataset), workers)
    for part in tqdm(parts, total=len(dataset), unit='sample', desc='Checking'):
        report.add(part)
    return report


def _entries(dataset: BaseDataset) -> Iterator[dict]:
    """Entries that name each file once: sweeps of neighbouring key frames overlap, pictures share their object."""
    entries = (dataset.get_data_info(index) for index in range(len(dataset)))
    seen: set[str] = set()
    keys = _SHARED_BY_OBJECTS if isinstance(dataset, MaskedDataset) else _SHARED
    for entry in entries:
        if 'lidar_path' in entry:
            seen.add(entry['lidar_path'])
        fresh = [path for path in entry.get('lidar_sweeps', []) if path not in seen]
        shared = {key: entry[key] for key in keys if key in entry}
        named = {key for key, path in shared.items() if path in seen}
        seen.update(fresh, shared.values())
        yield {**{key: value for key, value in entry.items() if key not in named}, 'lidar_sweeps': fresh}
