"""Checks and scores of a submission to ScanNet's 3D semantic label benchmark, as a folder or as the zip to upload.

The server takes two weeks until the next try; :func:`find_problems` looks at everything first and says what to mend.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Optional, Union

import numpy as np

from mmfusion_plugin.converters.scannet_check import find_lists, find_scans
from mmfusion_plugin.converters.scannet_files import read_vertices
from mmfusion_plugin.converters.scannet_taxonomy import CLASSES, IGNORE_INDEX, NYU40_IDS, NYU40_TO_CLASS

from .confusion import SegmentationScores
from .scannet_confusion import official_counts, official_scores
from .scannet_submission import SUFFIX

PathLike = Union[str, Path]
_LONGEST_LINE = 16  # bytes a vertex may take before a file is not even read


class Submission:
    """The files of a submission, in a folder or a zip; use it in a ``with`` statement.

    Args:
        target: Folder or zip.

    Raises:
        ValueError: It is neither.
    """

    def __init__(self, target: PathLike) -> None:
        self.target = Path(target)
        self._zip = None
        if self.target.is_file():
            try:
                self._zip = zipfile.ZipFile(self.target)
            except zipfile.BadZipFile as error:
                raise ValueError(f'{self.target} is neither a folder nor a complete zip ({error})') from error
        elif not self.target.is_dir():
            raise ValueError(f'{self.target} is neither a folder nor a zip')

    def __enter__(self) -> Submission:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def names(self) -> list[str]:
        """Files below the root, with ``/`` between folders; a zip may hold one twice."""
        if self._zip is not None:
            return [entry.filename for entry in self._zip.infolist() if not entry.is_dir()]
        return sorted(path.relative_to(self.target).as_posix() for path in self.target.rglob('*') if not path.is_dir())

    def read(self, name: str, limit: int) -> bytes:
        """Content of a file.

        Raises:
            ValueError: It is longer than ``limit`` bytes, or damaged.
        """
        try:
            path = self.target / name
            size = path.stat().st_size if self._zip is None else self._zip.getinfo(name).file_size
            if size > limit:
                raise ValueError(f'{size} bytes are more than its vertices can take')
            return path.read_bytes() if self._zip is None else self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError) as error:  # RuntimeError: encrypted
            raise ValueError(f'cannot be read ({error})') from error


def vertices_per_scan(data_root: PathLike, split: str) -> dict[str, int]:
    """Number of vertices of each scan of a split.

    Args:
        data_root: What ``tools/create_data.py scannet`` wrote, or ScanNet's own files with the lists of its splits.
        split: 'train', 'val' or 'test'.

    Raises:
        FileNotFoundError: Neither is there, or a scan is missing.
    """
    root = Path(data_root)
    found = sorted(root.glob(f'*_infos_{split}.json'))
    if found:
        return {entry['scan_id']: entry['num_points'] for entry in json.loads(found[0].read_text())['data_list']}
    lists = find_lists(root)
    if split not in lists:
        raise FileNotFoundError(f'neither *_infos_{split}.json nor scannetv2_{split}.txt lies in {root}')
    scans, absent = find_scans(root, {split: lists[split]})
    if absent:
        raise FileNotFoundError(f'{len(absent)} scans of {lists[split]} are not in {root}, the first {absent[0]}')
    return {scan.name: len(read_vertices(scan.file('mesh'))) for scan in scans}


def find_problems(target: PathLike, vertices: dict[str, int]) -> list[str]:
    """Everything that keeps a submission from being valid, one line each; an empty list if nothing does.

    Args:
        target: Folder or zip.
        vertices: Of each scan of the split, see :func:`vertices_per_scan`.
    """
    try:
        with Submission(target) as submission:
            names = submission.names()
            problems = _name_problems(names, vertices)
            there = set(names)
            for scan, count in vertices.items():
                name = f'{scan}{SUFFIX}'
                if name in there:
                    try:
                        _read_ids(submission, name, count)
                    except ValueError as error:
                        problems.append(f'{name}: {error}')
            return problems
    except ValueError as error:
        return [str(error)]


def check_submission(target: PathLike, data_root: PathLike, split: str = 'test') -> str:
    """Check a submission with :func:`find_problems`.

    Returns:
        One line that says what was checked.

    Raises:
        FileNotFoundError: The dataset is not there.
        ValueError: The submission is not valid; the text lists the problems.
    """
    vertices = vertices_per_scan(data_root, split)
    problems = find_problems(target, vertices)
    if problems:
        shown = '\n'.join(f'  - {problem}' for problem in problems[:20])
        more = f'\n  - and {len(problems) - 20} more' if len(problems) > 20 else ''
        raise ValueError(f'{target} is no valid submission for {split!r}:\n{shown}{more}')
    return f'valid: {len(vertices)} scans of {split!r}, {sum(vertices.values())} vertices'


def evaluate_submission(target: PathLike, data_root: PathLike, split: str = 'val') -> SegmentationScores:
    """Scores of a valid submission by the official rules, over the classes of ScanNet.

    Args:
        target: Folder or zip.
        data_root: What ``tools/create_data.py scannet`` wrote.
        split: 'train' or 'val': the labels of others are not public.

    Raises:
        FileNotFoundError: The labels are not there.
    """
    classes = np.array(NYU40_TO_CLASS)
    matrix = np.zeros((len(CLASSES) + 2, len(CLASSES) + 1), np.int64)
    with Submission(target) as submission:
        for scan, count in vertices_per_scan(data_root, split).items():
            path = Path(data_root) / 'semantic_mask' / f'{scan}.bin'
            if not path.is_file():
                raise FileNotFoundError(f'{path} not found: scores need a converted split with labels')
            truth = classes[np.fromfile(path, '<i8')]
            predicted = classes[_read_ids(submission, f'{scan}{SUFFIX}', count)]
            matrix += official_counts(truth, predicted, len(CLASSES), IGNORE_INDEX)
    return official_scores(matrix)


def _name_problems(names: list[str], vertices: dict[str, int]) -> list[str]:
    """Missing, surplus, misplaced and doubled files."""
    wanted, problems = {f'{scan}{SUFFIX}' for scan in vertices}, []
    nested = sorted(name for name in names if PurePosixPath(name).name in wanted and name not in wanted)
    if nested:
        problems.append(f'{len(nested)} files lie in folders and must lie at the root, first {nested[0]}')
    missing = sorted(wanted - set(names))
    if missing:
        problems.append(f'{len(missing)} of {len(wanted)} scans are missing, first {missing[0]}')
    surplus = sorted(set(names) - wanted - set(nested))
    if surplus:
        problems.append(f'{len(surplus)} files belong to no scan of the split, first {surplus[0]!r}')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(f'{len(twice)} files are in the zip more than once, first {twice[0]}')
    return problems


def _read_ids(submission: Submission, name: str, vertices: int) -> np.ndarray:
    """NYU40 ids of a scan, ``(vertices,)`` int64.

    Raises:
        ValueError: What is wrong with them.
    """
    lines = submission.read(name, _LONGEST_LINE * (vertices + 1)).splitlines()
    if len(lines) != vertices:
        raise ValueError(f'{len(lines)} lines for a mesh of {vertices} vertices')
    for number, line in enumerate(lines, 1):
        if not line.strip().isdigit() or len(line) > 4:  # bytes: only 0..9 are digits
            raise ValueError(f'line {number} is {line[:20]!r}; need one NYU40 id a line')
    ids = np.array(lines, np.int64) if lines else np.zeros(0, np.int64)
    problem = _id_problem(ids)
    if problem:
        raise ValueError(problem)
    return ids


def _id_problem(ids: np.ndarray) -> Optional[str]:
    wrong = ~np.isin(ids, NYU40_IDS)
    if not wrong.any():
        return None
    strangers = np.unique(ids[wrong]).tolist()
    first = f'{int(wrong.sum())} of {len(ids)} vertices have ids that are no class, such as {strangers[0]}'
    if strangers == [0]:
        return f'{first}: predict a class for every vertex, and write NYU40 ids, not class indices'
    if ids.max() < len(CLASSES):
        return f'{first}: these look like class indices 0..{len(CLASSES) - 1}, need NYU40 ids'
    return f'{first}; the classes are {", ".join(map(str, NYU40_IDS))}'
