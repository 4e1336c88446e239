"""What is measured: this package's side and MVPNet's, for ``scannet.py``."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional

import numpy as np
import scannet_mvpnet as mvpnet
from scannet_agreement import our_overlap
from scannet_mvpnet import Scan
from scannet_samples import chunk_of, inside, our_samples, sample

from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.ops.chunks import in_box
from mmfusion_plugin.ops.view_selection import greedy_views

LONG = 1500
"""Frames of a scan as the camera recorded it, about; generated ones are shorter."""


class Case(NamedTuple):
    """One row: two functions that do the same job, and how many units (frames, chunks) one call handles."""

    name: str
    unit: str
    units: int
    ours: Callable[[], object]
    theirs: Callable[[], object]


def cases(
    scans: list[Scan], folder: Path, data: Path, raw: Optional[Path], config: str, num_views: int
) -> Iterator[Case]:
    """All rows of the table; ``folder`` takes what they write."""
    if raw:
        yield conversion(scans[0], raw, folder)
    yield Case(
        'overlap of frames and base points',
        'frame',
        sum(len(scan.frames) for scan in scans),
        lambda: [our_overlap(scan) for scan in scans],
        lambda: [mvpnet.overlap(scan) for scan in scans],
    )
    for num_frames in (len(scans[0].frames), LONG):
        yield view_choice(scans[0], num_frames, num_views)
    for scan in scans:
        mvpnet.write_as_mvpnet(scan, folder)
    for neighbours in (0, 3, 64):
        ours = our_samples(config, data, len(scans), num_views, neighbours)
        theirs = mvpnet_samples(scans, folder, num_views, neighbours)
        yield Case(f'training sample, {neighbours or "no"} neighbours', 'sample', 1, ours, theirs)


def conversion(scan: Scan, raw: Path, folder: Path) -> Case:
    """Of one scan; theirs is that of its frames alone, ours of everything."""
    listed, run = folder / 'list.txt', count()
    listed.write_text(scan.name, encoding='utf-8')

    def ours() -> None:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            create_scannet_infos(raw, folder / f'ours_{next(run)}', lists={'train': listed})

    def theirs() -> None:
        mvpnet.convert(raw, scan.name, folder / f'theirs_{next(run)}')

    return Case('conversion (theirs: frames alone)', 'frame', len(scan.frames), ours, theirs)


def view_choice(scan: Scan, num_frames: int, num_views: int) -> Case:
    """For 100 chunks, among as many frames, the scan's own over and over."""
    random, base = np.random.default_rng(0), scan.points[scan.base]
    boxes = [chunk_of(scan, random)[0] for _ in range(100)]
    rows = np.resize(scan.seen, (num_frames, len(base)))
    columns = np.ascontiguousarray(rows.T)
    return Case(
        f'choice of {num_views} views from {num_frames} frames',
        'chunk',
        len(boxes),
        lambda: [greedy_views(rows[:, in_box(base, box)], num_views) for box in boxes],
        lambda: [mvpnet.choose_views(columns[inside(base, box)], num_views) for box in boxes],
    )


def mvpnet_samples(scans: list[Scan], folder: Path, num_views: int, neighbours: int) -> Callable[[], object]:
    """A function that loads a training sample as MVPNet, from one scan after the other."""
    seen, random, turn = [np.ascontiguousarray(scan.seen.T) for scan in scans], np.random.default_rng(0), count()

    def load() -> object:
        which = next(turn) % len(scans)
        return sample(scans[which], seen[which], folder, num_views, neighbours, random)

    return load
