"""Which scans a ScanNet folder holds and which files they lack, before the conversion starts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence

from .scannet_taxonomy import LABEL_TABLE, LABELLED_SPLITS, SCAN_FILES, SPLITS

_LISTS = 'scannetv2_{split}.txt'
_LIST_FOLDERS = ('', 'splits', 'meta_data', 'Tasks/Benchmark')
_SCAN_FOLDERS = ('scans', 'scans_test', '')


@dataclass(frozen=True)
class Scan:
    """A scan of the raw dataset: its name, folder and split."""

    name: str
    folder: Path
    split: str

    @property
    def labelled(self) -> bool:
        """Whether its labels are public."""
        return self.split in LABELLED_SPLITS

    def file(self, kind: str) -> Path:
        """Path of a raw file, a key of :data:`~.scannet_taxonomy.SCAN_FILES`."""
        return self.folder / SCAN_FILES[kind].format(scan=self.name)

    def needed(self, label_kinds: Sequence[str]) -> list[Path]:
        """Files that its conversion reads."""
        labels = ('segments', 'aggregation', *label_kinds) if self.labelled else ()
        return [self.file(kind) for kind in ('sens', 'mesh', *labels)]


def find_lists(root: Path, splits_dir: Optional[Path] = None) -> dict[str, Path]:
    """Lists of scan names by split, as ScanNet's ``Tasks/Benchmark`` has them.

    Args:
        root: Folder of the dataset, in which the usual places are searched when no folder is given.
        splits_dir: Folder with ``scannetv2_{train,val,test}.txt``, one or more of them.

    Raises:
        FileNotFoundError: There is none.
    """
    folders = [root / name for name in _LIST_FOLDERS] if splits_dir is None else [splits_dir]
    for folder in folders:
        found = {split: folder / _LISTS.format(split=split) for split in SPLITS}
        found = {split: path for split, path in found.items() if path.is_file()}
        if found:
            return found
    raise FileNotFoundError(
        f'no scannetv2_train.txt, scannetv2_val.txt or scannetv2_test.txt in {", ".join(map(str, folders))}: take them '
        "from Tasks/Benchmark of ScanNet's repository and name their folder with --splits-dir, or list scans of your "
        'own with --train-list, --val-list, --test-list'
    )


def find_scans(root: Path, lists: Mapping[str, Path]) -> tuple[list[Scan], list[str]]:
    """Scans that lists name, in their order.

    Args:
        root: Folder that holds ``scans/`` and ``scans_test/``, or the scans themselves.
        lists: Text files by split, one scan name per line.

    Returns:
        The scans that are there, and the names of those that are not.

    Raises:
        FileNotFoundError: ``root`` or a list is missing.
        ValueError: A name is in two lists, twice in one, or is no file name.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'{root} is not a folder: --root-path must be where ScanNet was downloaded to')
    scans, absent, seen = [], [], {}
    for split in (split for split in SPLITS if split in lists):
        path = lists[split]
        if not path.is_file():
            raise FileNotFoundError(f'{path}, the list of {split} scans, not found')
        for name in path.read_text(encoding='utf-8').split():
            if not re.fullmatch(r'[A-Za-z0-9][\w-]*', name, re.ASCII):
                raise ValueError(f'{path}: {name!r} is no scan name; need one such as scene0000_00 per line')
            if name in seen:
                raise ValueError(f'{name} is in {seen[name]} and again in {path}: a scan belongs to one split, once')
            seen[name] = path
            folder = next((root / place / name for place in _SCAN_FOLDERS if (root / place / name).is_dir()), None)
            if folder is None:
                absent.append(name)
            else:
                scans.append(Scan(name, folder, split))
    return scans, absent


def find_label_table(root: Path, splits_dir: Optional[Path] = None) -> Path:
    """Where the table of label names lies; a path in ``root`` where it is nowhere."""
    folders = [root / name for name in _LIST_FOLDERS] + ([splits_dir] if splits_dir else [])
    return next((folder / LABEL_TABLE for folder in folders if (folder / LABEL_TABLE).is_file()), root / LABEL_TABLE)


def missing_files(scans: Sequence[Scan], label_kinds: Sequence[str]) -> dict[str, list[Path]]:
    """Files that scans lack, by scan name."""
    missing = {scan.name: [path for path in scan.needed(label_kinds) if not path.is_file()] for scan in scans}
    return {name: paths for name, paths in missing.items() if paths}


def require_all(root: Path, absent: Sequence[str], missing: Mapping[str, Sequence[Path]]) -> None:
    """Raise when scans or files are missing, with the first few by name.

    Raises:
        FileNotFoundError: Something is missing.
    """
    files = [str(path) for paths in missing.values() for path in paths]
    if not absent and not files:
        return
    folders = [f'{root}/scans/{name}' for name in absent]
    shown = '\n  '.join((folders + files)[:5])
    only_images = not absent and all(name.endswith('.zip') for name in files)
    remedy = (
        'download them, or name the label images that are there with --label-images (none without a name)'
        if only_images
        else 'download them, or pass --skip-missing-scans to leave these scans out'
    )
    raise FileNotFoundError(
        f'{len(absent)} scans and {len(files)} files of {len(missing)} other scans are not below {root}; {remedy}. '
        f'The first:\n  {shown}'
    )
