"""Writer of nuScenes-lidarseg submissions, in the layout that the leaderboard and the devkit read.

``<prefix>/<eval_set>/submission.json`` declares the inputs used; ``<prefix>/lidarseg/<eval_set>/<token>_lidarseg.bin``
holds one uint8 per point of the sweep, 1..16 (see :func:`official_ids`); ``<prefix>_<eval_set>.zip`` is the
archive to upload. Layout: nuscenes-devkit 1.2.0, ``nuscenes/eval/lidarseg/validate_submission.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank
from mmengine.logging import print_log

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES
from mmfusion_plugin.files import whole_file, write_text

EVAL_SETS = ('train', 'val', 'test', 'mini_train', 'mini_val', 'train_detect', 'train_track')
"""The splits of nuscenes-devkit 1.2.0, ``nuscenes/utils/splits.py``."""

SUBMISSION_META = dict(use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)
"""Inputs a submission declares: those of the network at inference. Exactly these keys, all bool."""

SUFFIX = '_lidarseg.bin'


def official_ids(classes: Sequence[str]) -> np.ndarray:
    """Number that the devkit and the leaderboard give to each class.

    Args:
        classes: Names, some or all of :data:`~mmfusion_plugin.converters.nuscenes_taxonomy.CLASSES`, in any order.

    Returns:
        ``(C,)`` uint8 in 1..16; 0 stands for ignored points, which no prediction may contain.

    Raises:
        ValueError: A name is no class of nuScenes-lidarseg.
    """
    strangers = [name for name in classes if name not in CLASSES]
    if strangers:
        raise ValueError(f'{strangers} are no classes of nuScenes-lidarseg, which has {", ".join(CLASSES)}')
    return np.array([CLASSES.index(name) + 1 for name in classes], np.uint8)


def submission_paths(prefix: Union[str, Path], eval_set: str) -> tuple[Path, Path, Path]:
    """``submission.json``, the folder of label files, and the zip of a submission."""
    prefix = Path(prefix)
    return (
        prefix / eval_set / 'submission.json',
        prefix / 'lidarseg' / eval_set,
        prefix.parent / f'{prefix.name}_{eval_set}.zip',
    )


class NuScenesSubmissionWriter:
    """Writes a submission frame by frame from one or more processes that share a file system.

    Files are staged in ``<prefix>/.<eval_set>.part`` and moved into place together by the first process in
    :meth:`finish`, when every frame is there. Until then an earlier submission at the same place stays as it was; what
    an interrupted run left in the staging folder is discarded.

    Args:
        prefix: Folder of the submission.
        meta: Overrides of :data:`SUBMISSION_META`, e.g. ``dict(use_camera=True)``.

    Raises:
        ValueError: Unknown key in ``meta``, or a value that is not bool.
    """

    def __init__(self, prefix: Union[str, Path], meta: Optional[dict[str, bool]] = None) -> None:
        self.prefix = Path(prefix)
        self.meta = {**SUBMISSION_META, **(meta or {})}
        unknown = sorted(set(self.meta) - set(SUBMISSION_META))
        not_bool = sorted(key for key, value in self.meta.items() if not isinstance(value, bool))
        if unknown or not_bool:
            raise ValueError(
                f'submission_meta knows {sorted(SUBMISSION_META)}, each True or False; unknown: {unknown}, '
                f'not a bool: {not_bool}'
            )
        self._written: list[str] = []

    def write(self, token: str, labels: np.ndarray, eval_set: str, classes: Sequence[str] = CLASSES) -> None:
        """Stage one frame.

        Args:
            token: The sample_data token of the LIDAR_TOP sweep.
            labels: ``(N,)`` integers, positions in ``classes``, of all points in the sweep's order.
            eval_set: One of :data:`EVAL_SETS`.
            classes: Names that the labels stand for; those of a network trained on some classes are a part.

        Raises:
            ValueError: Unknown split or class, labels beyond the classes, or a token that is no file name.
        """
        ids = official_ids(classes)
        if not token.isalnum():
            raise ValueError(f'sample_data token {token!r} must consist of letters and digits: it names a file')
        if labels.ndim != 1 or labels.dtype.kind not in 'iu' or not len(labels):
            raise ValueError(f'frame {token}: need (N,) integer labels, got {labels.shape} {labels.dtype}')
        if labels.min() < 0 or labels.max() >= len(ids):
            raise ValueError(
                f'frame {token}: labels span {labels.min()}..{labels.max()}, but a submission holds the classes '
                f'0..{len(ids) - 1} only'
            )
        folder = self._staging(eval_set)
        folder.mkdir(parents=True, exist_ok=True)
        # Two processes may hold the same frame (see LidarSegMetric): each writes its own file, and the last rename puts
        # an equal one in place. Not flushed to the disk one by one: what an interrupted run staged is discarded anyway.
        final = folder / f'{token}{SUFFIX}'
        partial = folder / f'{final.name}.{get_rank()}.part'
        partial.write_bytes(ids[labels].tobytes())
        os.replace(partial, final)
        self._written.append(token)

    def finish(self, eval_set: str, frames: int) -> Path:
        """Move the staged submission into place and zip it; to be called by all processes.

        Args:
            eval_set: As in :meth:`write`.
            frames: Number of different frames that the submission must hold.

        Returns:
            Path of the zip.

        Raises:
            RuntimeError: On every process, when frames are missing, the target holds other files, or writing failed.
                An earlier submission is then unchanged.
        """
        tokens = sorted({token for part in all_gather_object(self._written) for token in part})
        self._written = []
        fault = ['']
        if get_rank() == 0:
            try:
                self._publish(eval_set, tokens, frames)
            except Exception as error:  # told to all processes: one that waits for the first would hang
                fault = [f'{type(error).__name__}: {error}']
        broadcast_object_list(fault)
        if fault[0]:
            raise RuntimeError(f'submission in {self.prefix} not written; {fault[0]}')
        archive = submission_paths(self.prefix, eval_set)[2]
        print_log(f'submission of {frames} frames: {self.prefix}, to upload: {archive}', logger='current')
        return archive

    def _staging(self, eval_set: str) -> Path:
        if eval_set not in EVAL_SETS:
            raise ValueError(f'eval_set {eval_set!r} is no split of nuScenes; known: {", ".join(EVAL_SETS)}')
        return self.prefix / f'.{eval_set}.part'

    def _publish(self, eval_set: str, tokens: list[str], frames: int) -> None:
        meta_path, label_folder, archive = submission_paths(self.prefix, eval_set)
        staging = self._staging(eval_set)
        if len(tokens) != frames:
            raise ValueError(f'{len(tokens)} different frames were predicted, the dataset holds {frames}')
        names = {f'{token}{SUFFIX}' for token in tokens}
        absent = sorted(name for name in names if not (staging / name).is_file())
        if absent:
            raise FileNotFoundError(
                f'{len(absent)} of {frames} label files are not in {staging}, the first {absent[0]}: all processes '
                'must write to one shared file system'
            )
        foreign = [path for path in label_folder.glob('*') if not path.name.endswith(SUFFIX)]
        if foreign:
            raise FileExistsError(
                f'{label_folder} holds {foreign[0].name}, which is no label file: choose another submission_prefix'
            )
        for path in staging.iterdir():
            if path.name not in names:
                path.unlink()
        _replace_folder(staging, label_folder)
        meta_path.parent.mkdir(parents=True, exist_ok=True)
        write_text(meta_path, json.dumps({'meta': self.meta}, indent=2) + '\n')
        zip_submission(self.prefix, eval_set)


def zip_submission(prefix: Union[str, Path], eval_set: str) -> Path:
    """Zip one split of a submission: same files, same bytes (sorted names, fixed dates); returns the zip's path."""
    meta_path, label_folder, archive = submission_paths(prefix, eval_set)
    with whole_file(archive) as part, zipfile.ZipFile(part, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for path in [meta_path, *sorted(label_folder.glob(f'*{SUFFIX}'))]:
            # 1980-01-01 is the zip format's first date, and ZipInfo's default.
            entry = zipfile.ZipInfo(path.relative_to(prefix).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, path.read_bytes())
    return archive


def _replace_folder(source: Path, target: Path) -> None:
    """Put ``source`` in the place of ``target``; at any moment one complete version exists."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the prefix's own folders, so that the devkit never takes it for label files.
    old = source.with_name(f'{source.name}.old')
    if old.exists():
        if not target.exists():  # an earlier exchange was interrupted half-way
            os.replace(old, target)
        else:
            shutil.rmtree(old)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(source, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
