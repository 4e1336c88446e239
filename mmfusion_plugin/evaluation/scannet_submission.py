"""Writer of submissions to ScanNet's 3D semantic label benchmark.

``<prefix>/<scan>.txt`` holds one NYU40 id per line, for the vertices of ``<scan>_vh_clean_2.ply`` in their order;
``<prefix>.zip``, with the text files at its root, is the archive to upload. Source: the benchmark's documentation,
"Format for 3D Semantic Label Prediction".
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Sequence, Union

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank
from mmengine.logging import print_log

from mmfusion_plugin.converters.scannet_taxonomy import CLASSES, NYU40_IDS
from mmfusion_plugin.files import whole_file

SUFFIX = '.txt'


def nyu40_ids(classes: Sequence[str]) -> np.ndarray:
    """NYU40 id of each class: ``(C,)`` int64.

    Args:
        classes: Names, some or all of :data:`~mmfusion_plugin.converters.scannet_taxonomy.CLASSES`, in any order.

    Raises:
        ValueError: A name is no class of the benchmark.
    """
    strangers = [name for name in classes if name not in CLASSES]
    if strangers:
        raise ValueError(f'{strangers} are no classes of ScanNet, which has {", ".join(CLASSES)}')
    return np.array([NYU40_IDS[CLASSES.index(name)] for name in classes], np.int64)


class ScanNetSubmissionWriter:
    """Writes a submission scan by scan from one or more processes that share a file system.

    Files are staged in ``.<prefix>.part`` beside the prefix and moved into place together by the first process in
    :meth:`finish`, when every scan is there. Until then an earlier submission at the same place stays as it was; what
    an interrupted run left in the staging folder is discarded.

    Args:
        prefix: Folder of the submission.
    """

    def __init__(self, prefix: Union[str, Path]) -> None:
        self.prefix = Path(prefix)
        self.archive = self.prefix.with_name(f'{self.prefix.name}.zip')
        self._staging = self.prefix.with_name(f'.{self.prefix.name}.part')
        self._written: list[str] = []

    def write(self, scan: str, labels: np.ndarray, classes: Sequence[str] = CLASSES) -> None:
        """Stage one scan.

        Args:
            scan: Its name, such as scene0707_00.
            labels: ``(N,)`` integers, positions in ``classes``, of all vertices in the mesh's order.
            classes: Names that the labels stand for.

        Raises:
            ValueError: Unknown class, labels beyond the classes, or a name that is no file name.
        """
        ids = nyu40_ids(classes)
        if not re.fullmatch(r'[A-Za-z0-9][\w-]*', scan, re.ASCII):
            raise ValueError(f'scan {scan!r} must be a name such as scene0707_00: it names a file')
        if labels.ndim != 1 or labels.dtype.kind not in 'iu' or not len(labels):
            raise ValueError(f'scan {scan}: need (N,) integer labels, got {labels.shape} {labels.dtype}')
        wrong = int(((labels < 0) | (labels >= len(ids))).sum())
        if wrong:
            raise ValueError(
                f'scan {scan}: {wrong} of {len(labels)} predictions are no class 0..{len(ids) - 1} (labels span '
                f'{labels.min()}..{labels.max()}); a submission holds a class for each vertex'
            )
        self._staging.mkdir(parents=True, exist_ok=True)
        # Two processes may hold the same scan (see LidarSegMetric): each writes its own file, and the last rename puts
        # an equal one in place. Not flushed to the disk one by one: what an interrupted run staged is discarded anyway.
        partial = self._staging / f'{scan}{SUFFIX}.{get_rank()}.part'
        partial.write_text('\n'.join(map(str, ids[labels].tolist())) + '\n', encoding='ascii')
        os.replace(partial, self._staging / f'{scan}{SUFFIX}')
        self._written.append(scan)

    def finish(self, scans: int) -> Path:
        """Move the staged submission into place and zip it; to be called by all processes.

        Args:
            scans: Number of different scans that the submission must hold.

        Returns:
            Path of the zip.

        Raises:
            RuntimeError: On every process, when scans are missing, the target holds other files, or writing failed.
        """
        names = sorted({name for part in all_gather_object(self._written) for name in part})
        self._written = []
        fault = ['']
        if get_rank() == 0:
            try:
                self._publish(names, scans)
            except Exception as error:  # told to all processes: one that waits for the first would hang
                fault = [f'{type(error).__name__}: {error}']
        broadcast_object_list(fault)
        if fault[0]:
            raise RuntimeError(f'submission in {self.prefix} not written; {fault[0]}')
        print_log(f'submission of {scans} scans: {self.prefix}, to upload: {self.archive}', logger='current')
        return self.archive

    def _publish(self, scans: list[str], count: int) -> None:
        if len(scans) != count:
            raise ValueError(f'{len(scans)} different scans were predicted, the dataset holds {count}')
        names = [f'{scan}{SUFFIX}' for scan in scans]
        absent = [name for name in names if not (self._staging / name).is_file()]
        if absent:
            raise FileNotFoundError(
                f'{len(absent)} of {count} files are not in {self._staging}, the first {absent[0]}: all processes '
                'must write to one shared file system'
            )
        foreign = [path.name for path in self.prefix.glob('*') if path.suffix != SUFFIX]
        if foreign:
            raise FileExistsError(
                f'{self.prefix} holds {foreign[0]}, which is no text file: choose another submission_prefix'
            )
        # The zip, which is what counts, first: it is replaced as a whole.
        zip_scans([self._staging / name for name in names], self.archive)
        self.prefix.mkdir(exist_ok=True)
        for path in self.prefix.iterdir():
            if path.name not in names:
                path.unlink()
        for name in names:
            os.replace(self._staging / name, self.prefix / name)
        shutil.rmtree(self._staging)


def zip_scans(files: Sequence[Path], archive: Path) -> None:
    """Zip files at the archive's root: same files, same bytes (the order given, fixed dates)."""
    with whole_file(archive) as part, zipfile.ZipFile(part, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for path in files:
            # 1980-01-01 is the zip format's first date, and ZipInfo's default.
            entry = zipfile.ZipInfo(path.name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, path.read_bytes())
