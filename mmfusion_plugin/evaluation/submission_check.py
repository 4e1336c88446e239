"""Checks and official scores of a nuScenes-lidarseg submission.

The devkit stops at its first assertion and looks at some faults only by chance (a file of the wrong dtype is just "too
long", surplus files go unseen). :func:`find_problems` looks at everything first and says what to mend;
:func:`check_submission` then runs the devkit's own validation, and :func:`evaluate_submission` its scores. The devkit
is imported when one of them is called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES, LIDAR

from .nuscenes_submission import EVAL_SETS, SUBMISSION_META, SUFFIX, submission_paths

PathLike = Union[str, Path]
POINT_BYTES = 20
"""A nuScenes sweep stores five float32 a point."""


def open_nuscenes(dataroot: PathLike, version: str) -> Any:
    """``nuscenes.NuScenes`` of a dataset, with clear errors for what is usually missing.

    Raises:
        FileNotFoundError: No such version below ``dataroot``, or its lidarseg package is not unpacked there.
        ImportError: The devkit is not installed.
    """
    try:
        from nuscenes import NuScenes
    except ImportError as error:
        raise ImportError("the nuScenes devkit is needed here: pip install 'mmfusion_plugin[nuscenes]'") from error
    tables = Path(dataroot) / version
    if not (tables / 'category.json').is_file():
        raise FileNotFoundError(f'no nuScenes tables in {tables}: check --dataroot and --version')
    if not (tables / 'lidarseg.json').is_file():
        raise FileNotFoundError(f'{tables / "lidarseg.json"} is missing: unpack the nuScenes-lidarseg package there')
    return NuScenes(version=version, dataroot=str(dataroot), verbose=False)


@contextmanager
def available_scenes(nusc: Any, eval_set: str) -> Iterator[tuple[int, int]]:
    """Let the devkit's lidarseg code walk those scenes of a split that the dataset holds.

    The devkit raises KeyError where a dataset holds only part of an official split (a generated world, a partial
    download). Inside this context the split is cut to what is there; with all scenes present nothing changes.

    Yields:
        Scenes present and scenes in the official split.

    Raises:
        ValueError: The split is unknown, or the dataset holds none of its scenes.
    """
    from nuscenes.eval.lidarseg import utils

    if eval_set not in EVAL_SETS:
        raise ValueError(f'eval set {eval_set!r} is no split of nuScenes; known: {", ".join(EVAL_SETS)}')
    original = utils.create_splits_scenes
    splits, names = original(), {scene['name'] for scene in nusc.scene}
    present = [name for name in splits[eval_set] if name in names]
    if not present:
        raise ValueError(
            f'{nusc.version} in {nusc.dataroot} holds no scene of {eval_set!r}: check --version and --eval-set'
        )
    utils.create_splits_scenes = lambda verbose=False: {**splits, eval_set: present}
    try:
        yield len(present), len(splits[eval_set])
    finally:
        utils.create_splits_scenes = original


def find_problems(folder: PathLike, eval_set: str, points: dict[str, int]) -> list[str]:
    """Everything that keeps a submission from being valid, one line each; an empty list if nothing does.

    Args:
        folder: Folder that holds ``<eval_set>/submission.json`` and ``lidarseg/<eval_set>/``.
        eval_set: Official split.
        points: Number of points of each sweep of the split, see :func:`points_per_sweep`.
    """
    folder = Path(folder)
    meta_path, label_folder, _ = submission_paths(folder, eval_set)
    if not folder.is_dir():
        return [f'{folder} is no folder']
    problems = _meta_problems(meta_path)
    if not label_folder.is_dir():
        others = sorted({path.parent.relative_to(folder).as_posix() for path in folder.rglob(f'*{SUFFIX}')})
        hint = f'; label files lie in {", ".join(others)}' if others else ''
        return [*problems, f'no folder {label_folder}{hint}']
    there = {path.name for path in label_folder.iterdir()}
    missing = [token for token in points if f'{token}{SUFFIX}' not in there]
    surplus = sorted(there - {f'{token}{SUFFIX}' for token in points})
    if missing:
        problems.append(f'{len(missing)} of {len(points)} label files are missing, first {missing[0]}{SUFFIX}')
    if surplus:
        problems.append(f'{len(surplus)} files belong to no sweep of {eval_set}, first {surplus[0]}')
    for token, count in points.items():
        path = label_folder / f'{token}{SUFFIX}'
        problem = None if token in missing else _label_problem(path, count)
        if problem:
            problems.append(f'{path.name}: {problem}')
    return problems


def check_submission(
    folder: PathLike, dataroot: PathLike, version: str, eval_set: str, nusc: Optional[Any] = None
) -> str:
    """Check a submission with :func:`find_problems` and with the devkit's ``validate_submission``.

    Args:
        folder: As in :func:`find_problems`.
        dataroot: nuScenes folder.
        version: 'v1.0-trainval', ...
        eval_set: Official split.
        nusc: What :func:`open_nuscenes` returns for them, where it is at hand: loading takes half a minute.

    Returns:
        One line that says what was checked.

    Raises:
        ValueError: The submission is not valid; the text lists the problems.
    """
    from nuscenes.eval.lidarseg.validate_submission import validate_submission

    nusc = nusc or open_nuscenes(dataroot, version)
    with available_scenes(nusc, eval_set) as (present, official):
        points = points_per_sweep(nusc, eval_set)
        problems = find_problems(folder, eval_set, points)
        if not problems:
            try:
                validate_submission(nusc, str(folder), eval_set)
            except (AssertionError, KeyError, TypeError, OSError) as error:
                problems = [f"the devkit's validation: {error}"]
    if problems:
        shown = '\n'.join(f'  - {problem}' for problem in problems[:20])
        more = f'\n  - and {len(problems) - 20} more' if len(problems) > 20 else ''
        raise ValueError(f'{folder} is no valid submission for {eval_set!r}:\n{shown}{more}')
    part = '' if present == official else f' (the dataset holds {present} of the {official} scenes of this split)'
    return f"valid: {len(points)} sweeps of {version} {eval_set!r} accepted by the devkit's validation{part}"


def evaluate_submission(
    folder: PathLike, dataroot: PathLike, version: str, eval_set: str, nusc: Optional[Any] = None
) -> dict[str, Any]:
    """Scores by the devkit's ``LidarSegEval`` over the scenes that the dataset holds; arguments as above.

    Returns:
        ``miou``, ``freq_weighted_iou`` and ``iou_per_class`` (class name to IoU; 'ignore' is nan), as the devkit
        returns them, plus ``confusion``: its ``(17, 17)`` int64 matrix, row and column 0 empty.
    """
    from nuscenes.eval.lidarseg.evaluate import LidarSegEval

    nusc = nusc or open_nuscenes(dataroot, version)
    with available_scenes(nusc, eval_set):
        evaluator = LidarSegEval(nusc, str(folder), eval_set)
        return {**evaluator.evaluate(), 'confusion': evaluator.global_cm.global_cm}


def points_per_sweep(nusc: Any, eval_set: str) -> dict[str, int]:
    """Number of points of each sweep of the split, by its sample_data token (inside :func:`available_scenes`)."""
    from nuscenes.eval.lidarseg.utils import get_samples_in_eval_set

    tokens = [nusc.get('sample', token)['data'][LIDAR] for token in get_samples_in_eval_set(nusc, eval_set)]
    files = [Path(nusc.dataroot) / nusc.get('sample_data', token)['filename'] for token in tokens]
    return {token: path.stat().st_size // POINT_BYTES for token, path in zip(tokens, files)}


def _meta_problems(path: Path) -> list[str]:
    if not path.is_file():
        return [f'no file {path}']
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        return [f'{path} is no JSON: {error}']
    meta = content.get('meta') if isinstance(content, dict) else None
    if not isinstance(meta, dict):
        return [f'{path} must be an object with the key "meta"']
    problems = []
    if set(meta) != set(SUBMISSION_META):
        wrong = ', '.join(sorted(set(meta) ^ set(SUBMISSION_META)))
        problems.append(f'{path}: "meta" must have exactly {sorted(SUBMISSION_META)}; missing or unknown: {wrong}')
    not_bool = sorted(key for key, value in meta.items() if not isinstance(value, bool))
    if not_bool:
        problems.append(f'{path}: {", ".join(not_bool)} must be true or false')
    return problems


def _label_problem(path: Path, points: int) -> Optional[str]:
    """What is wrong with one label file for a sweep of ``points`` points."""
    if not path.is_file():
        return 'is no file'
    raw = path.read_bytes()
    if raw[:6] == b'\x93NUMPY':
        return 'is a .npy file; write the bare uint8 values (ndarray.tofile)'
    if len(raw) != points:
        wide = {points * size: kind for size, kind in ((2, '16-bit'), (4, '32-bit'), (8, '64-bit'))}
        hint = f': it looks like {wide[len(raw)]} values, need uint8' if len(raw) in wide else ''
        return f'{len(raw)} bytes for a sweep of {points} points{hint}'
    labels = np.frombuffer(raw, np.uint8)
    zeros, high = int((labels == 0).sum()), int((labels > len(CLASSES)).sum())
    if zeros:
        return f'{zeros} points have label 0 (ignore), which no prediction may have; classes are 1..{len(CLASSES)}'
    return f'{high} labels above {len(CLASSES)}, the highest {labels.max()}' if high else None
