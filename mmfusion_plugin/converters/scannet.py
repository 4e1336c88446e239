"""ScanNet to info files and small images: parallel over scans, resumable, the same files for any number of workers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Mapping, Optional, Sequence

from tqdm import tqdm

from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.parallel import parallel_map

from .scannet_check import Scan, find_label_table, find_lists, find_scans, missing_files, require_all
from .scannet_frames import ScanOptions
from .scannet_labels import read_label_table
from .scannet_scan import convert_scan, finished
from .scannet_taxonomy import CLASSES, SPLITS
from .sens import SensReader


def create_scannet_infos(
    root: Path,
    out_dir: Path,
    options: Optional[ScanOptions] = None,
    splits_dir: Optional[Path] = None,
    lists: Optional[Mapping[str, Path]] = None,
    prefix: str = 'scannet',
    workers: int = 1,
    skip_missing_scans: bool = False,
) -> list[Path]:
    """Write ``{prefix}_infos_{train,val,test}.json``, and below ``out_dir`` what they name.

    Each file is ``{"metainfo": ..., "data_list": [...]}`` with one scan per line, in the layout of MMDetection3D 1.4;
    scans follow their list. ``points/<scan>.bin`` holds float32 x, y, z, red, green, blue of the mesh's vertices in the
    frame of the poses (metres; not axis-aligned), ``semantic_mask/<scan>.bin`` their NYU40 ids (int64, 0 unlabelled).
    ``rgbd`` of an entry describes ``frames/<scan>/``: ``color/N.jpg``, ``depth/N.png`` (16 bits, ``depth_shift`` units
    a metre), ``label/N.png`` and ``label-filt/N.png`` (8 bits, NYU40 ids), with N the number in the ``.sens`` file, and
    ``poses.npy`` ``(F, 4, 4)`` float32, camera to world, in the order of ``rgbd.frames``. ``cam2img`` and ``depth2img``
    are the ``(3, 3)`` camera matrices of the small colour and depth (and label) images. ``overlap.npz`` beside them
    holds ``base`` ``(K,)`` int32, rows of up to 2000 points drawn from the scan's, and ``seen`` ``(F, ceil(K / 8))``
    uint8, packed bits: which of them each frame sees, its depth being theirs to within 0.1 m.

    Each finished scan leaves ``manifests/<scan>.json``; a scan whose manifest names the same files and options is not
    converted again. ``{prefix}_coverage.json`` gathers what became of all frames and vertices.

    Args:
        root: Folder that holds ``scans/``, ``scans_test/`` and ``scannetv2-labels.combined.tsv``.
        out_dir: Where everything goes; created when missing.
        options: Sizes, frames, label images.
        splits_dir: Folder with the official lists; None searches ``root``.
        lists: Lists of your own by split ('train', 'val', 'test') instead.
        prefix: Start of the file names.
        workers: Number of processes.
        skip_missing_scans: Leave out scans that are not there, or not whole, instead of stopping.

    Returns:
        The info files written.

    Raises:
        FileNotFoundError: A list, scan, table or file is missing.
        ValueError: A file is damaged or an option has no meaning.
        ChildProcessError: A worker was killed; the next run continues from the finished scans.
    """
    options = options or ScanOptions()
    lists = dict(lists or find_lists(root, splits_dir))
    scans, absent = find_scans(root, lists)
    missing = missing_files(scans, options.label_kinds)
    if skip_missing_scans and (absent or missing):
        print(f'Left out {len(absent) + len(missing)} of {len(absent) + len(scans)} scans, whose files are missing')
        scans = [scan for scan in scans if scan.name not in missing]
    else:
        require_all(root, absent, missing)
    if not scans:
        raise ValueError(f'{root} holds no scan of {", ".join(map(str, lists.values()))}: nothing to convert')
    table = find_label_table(root, splits_dir)
    if any(scan.labelled for scan in scans):
        read_label_table(table)  # a fault in it shows before hours of work

    manifests = _convert(scans, out_dir, table, options, workers)
    written = []
    for split in (split for split in SPLITS if split in lists):
        members = [manifests[scan.name] for scan in scans if scan.split == split]
        path = out_dir / f'{prefix}_infos_{split}.json'
        _join(path, split, members)
        print(f'{path}: {_summary(members)}')
        written.append(path)
    _write_coverage(out_dir / f'{prefix}_coverage.json', list(manifests.values()))
    return written


def _convert(
    scans: Sequence[Scan], out_dir: Path, table: Path, options: ScanOptions, workers: int
) -> dict[str, dict]:
    """Manifests of all scans by name, in order; converts those that have none."""
    manifests = {scan.name: finished(out_dir, scan, table, options) for scan in scans}
    pending = [scan for scan in scans if manifests[scan.name] is None]
    if len(pending) < len(scans):
        print(f'{len(scans) - len(pending)} of {len(scans)} scans are converted already')
    with tqdm(total=sum(map(_num_frames, pending)), unit='frame', desc='Converting') as bar:
        work = parallel_map(partial(convert_scan, out_dir, table, options), pending, min(workers, len(pending)))
        for manifest in work:
            manifests[manifest['scan']] = manifest
            bar.set_postfix_str(manifest['scan'], refresh=False)
            bar.update(manifest['frames_in_file'])
    return manifests


def _num_frames(scan: Scan) -> int:
    with SensReader(scan.file('sens')) as reader:
        return reader.header.num_frames


def _join(path: Path, split: str, manifests: Sequence[dict]) -> None:
    """Number the entries and put them into one file."""
    metainfo = {
        'categories': {name: label for label, name in enumerate(CLASSES)},
        'dataset': 'scannet',
        'split': split,
        'info_version': '1.1',
    }
    with whole_file(path) as partial_file, open(partial_file, 'w', encoding='utf-8') as file:
        file.write(f'{{"metainfo":{json.dumps(metainfo, separators=(",", ":"))},"data_list":[\n')
        for index, manifest in enumerate(manifests):
            entry = {'sample_idx': index, **manifest['entry']}
            file.write((',\n' if index else '') + json.dumps(entry, separators=(',', ':')))
        file.write('\n]}\n')


def _summary(manifests: Sequence[dict]) -> str:
    frames, kept, vertices, seen = (
        sum(manifest[key] for manifest in manifests) for key in ('frames_in_file', 'frames_kept', 'vertices', 'seen')
    )
    dropped: dict[str, int] = {}
    for manifest in manifests:
        for reason, numbers in manifest['dropped'].items():
            dropped[reason] = dropped.get(reason, 0) + len(numbers)
    reasons = ', '.join(f'{count} {reason}' for reason, count in sorted(dropped.items())) or 'none'
    share = f'{100 * seen / vertices:.1f} %' if vertices else 'none'
    return (
        f'{len(manifests)} scans, {kept} of {frames} frames kept (dropped: {reasons}), {share} of {vertices} vertices '
        'seen by a frame'
    )


def _write_coverage(path: Path, manifests: Sequence[dict]) -> None:
    """What became of each scan, least covered first."""
    keys = ('scan', 'split', 'frames_in_file', 'frames_kept', 'dropped', 'vertices', 'seen')
    rows = [{**{key: manifest[key] for key in keys}, 'share': manifest['seen'] / manifest['vertices']}
            for manifest in manifests]
    rows.sort(key=lambda row: (row['share'], row['scan']))
    write_text(path, '[\n' + ',\n'.join(json.dumps(row) for row in rows) + '\n]\n')
    least = ', '.join(f'{row["scan"]} {100 * row["share"]:.1f} %' for row in rows[:3])
    print(f'{path}: what became of each scan; vertices seen by a frame, least first: {least}')
