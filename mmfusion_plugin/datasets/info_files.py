"""Reading info files: JSON as written by ``tools/create_data.py``, or MMDetection3D's pickles through a safe reader."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Callable, Optional

import mmengine
from mmengine.fileio import get

from .safe_pickle import safe_pickle_loads

_LINE_LAYOUT = '"data_list":[\n'


def load_info_file(
    path: str, convert: Callable[[dict], dict] = dict, backend_args: Optional[dict[str, Any]] = None
) -> tuple[dict, list[dict]]:
    """Read an info file and convert its entries one by one.

    Args:
        path: A ``.json`` or ``.pkl`` file in MMDetection3D's v2 layout (``metainfo``, ``data_list``).
        convert: Applied to each entry. Files of ``tools/create_data.py`` hold one entry per line and are converted
            while reading, so that the whole file (1.2 GB for nuScenes' training split) is never in memory.
        backend_args: File backend of mmengine for remote files.

    Returns:
        ``metainfo`` and the converted ``data_list``.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: It is damaged, has the layout of MMDetection3D before 1.1, or names files outside the data folders.
        UnsafePickleError: It is a pickle that could run code.
    """

    def checked(entry: dict) -> dict:
        check_file_names(entry, path)
        return convert(entry)

    local = backend_args is None
    if local and not Path(path).is_file():
        raise FileNotFoundError(f'info file {path} not found: generate it with tools/create_data.py')
    if path.endswith('.json'):
        if local:
            by_line = _load_lines(path, checked)
            if by_line is not None:
                return by_line
        try:
            content = mmengine.load(path, backend_args=backend_args)
        except ValueError as error:
            raise ValueError(f'{path} is not complete JSON ({error}): generate it again') from error
    elif path.endswith(('.pkl', '.pickle')):
        content = safe_pickle_loads(get(path, backend_args=backend_args), path)
    else:
        raise ValueError(f'{path}: info files end in .json or .pkl')
    _check_layout(content, path)
    return content['metainfo'], [checked(entry) for entry in content['data_list']]


def check_file_names(entry: dict, origin: str) -> None:
    """Refuse entries that point outside the folders of ``data_prefix``.

    Args:
        entry: An entry of a v2 info file.
        origin: Name of the info file for messages.

    Raises:
        ValueError: A file name is absolute or climbs with ``..``.
    """
    names = {'lidar_points.lidar_path': entry.get('lidar_points', {}).get('lidar_path')}
    names['pts_semantic_mask_path'] = entry.get('pts_semantic_mask_path')
    names['rgbd.path'] = entry.get('rgbd', {}).get('path')
    for camera, image in entry.get('images', {}).items():
        names[f'images.{camera}.img_path'] = image.get('img_path')
    for key, name in names.items():
        if name is None:
            continue
        path, windows = PurePosixPath(name), PureWindowsPath(name)
        if path.is_absolute() or windows.drive or windows.root or '..' in windows.parts or '\0' in name:
            raise ValueError(
                f'{origin}: {key} of sample {entry.get("token", entry.get("sample_idx"))} is {name!r}; file names must '
                'be relative to data_prefix and must not contain "..": generate the file with tools/create_data.py'
            )


def _check_layout(content: Any, path: str) -> None:
    if isinstance(content, list) or (isinstance(content, dict) and 'infos' in content):
        raise ValueError(
            f'{path} has the layout of MMDetection3D before 1.1: generate it with tools/create_data.py, or convert '
            "it by MMDetection3D's tools/dataset_converters/update_infos_to_v2.py --dataset nuscenes"
        )
    if not isinstance(content, dict) or not {'metainfo', 'data_list'} <= content.keys():
        raise ValueError(f'{path} is not an info file: it must hold "metainfo" and "data_list"')


def _load_lines(path: str, convert: Callable[[dict], dict]) -> Optional[tuple[dict, list[dict]]]:
    """Read the one-entry-per-line layout; None when the file is laid out otherwise."""
    with open(path, encoding='utf-8') as file:
        head = file.readline(1 << 16)
        if not head.endswith(_LINE_LAYOUT):
            return None
        metainfo = json.loads(head[: -len(_LINE_LAYOUT)].rstrip(',') + '}')['metainfo']
        entries = []
        for line in file:
            line = line.strip()
            if line == ']}':
                return metainfo, entries
            if line:
                try:
                    entries.append(convert(json.loads(line.rstrip(','))))
                except json.JSONDecodeError as error:
                    message = f'{path}, line {len(entries) + 2}: damaged ({error}): generate the file again'
                    raise ValueError(message) from error
    raise ValueError(f'{path} breaks off after {len(entries)} entries: generate it again')
