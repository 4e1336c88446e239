#!/usr/bin/env python
"""Measure what prepares and loads ScanNet beside MVPNet's method, in one run of one process, as a loader's worker.

MVPNet's side is written from its description (``scannet_cases.py``, ``scannet_samples.py``): numpy, Pillow and
scikit-learn's ball tree; its points and overlaps stay in memory, ours are read from their files for each sample. Both
sides take turns. Milliseconds are medians of processor time, which other programs disturb less than the clock; waiting
for a disk is not in it. "faster" is theirs divided by ours. Then: how far the two definitions of overlap agree.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import cv2
import numpy as np
import scannet_cases as mvpnet
import torch
from scannet_agreement import agreement, our_overlap
from scannet_cases import Scan
from scannet_samples import chunk_of, inside, our_samples, sample

from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.ops.chunks import in_box
from mmfusion_plugin.ops.view_selection import greedy_views

EXAMPLES = """examples:
  # all but the conversion; one thread for numpy and scikit-learn too
  OMP_NUM_THREADS=1 python tools/benchmarks/scannet.py data/scannet_small
  # the conversion as well
  OMP_NUM_THREADS=1 python tools/benchmarks/scannet.py data/scannet_small --raw data/scannet
  # a quick look
  OMP_NUM_THREADS=1 python tools/benchmarks/scannet.py data/scannet_small --scans 1 --samples 5 --repeats 2
"""


class Case(NamedTuple):
    """One row: two functions that do the same job, and how many units (frames, chunks) one call handles."""

    name: str
    unit: str
    units: int
    ours: Callable[[], object]
    theirs: Callable[[], object]
    repeats: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder that tools/create_data.py scannet wrote (160 x 120)')
    parser.add_argument('--raw', type=Path, help='folder of the raw dataset, to measure the conversion')
    parser.add_argument('--config', default='configs/_base_/datasets/scannet_rgbd.py', help='with train_dataloader')
    parser.add_argument('--scans', type=int, default=2, help='training scans to use, at most (%(default)s)')
    parser.add_argument('--samples', type=int, default=24, help='training samples per row (%(default)s)')
    parser.add_argument('--repeats', type=int, default=5, help='runs of each other row (%(default)s)')
    parser.add_argument('--views', type=int, default=3, help='frames per chunk (%(default)s)')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    entries = json.loads((args.data / 'scannet_infos_train.json').read_text(encoding='utf-8'))['data_list']
    scans = [mvpnet.load_scan(args.data, entry) for entry in entries[: args.scans]]
    frames, points = (sum(len(part) for part in parts) for parts in zip(*((s.frames, s.points) for s in scans)))
    print(f'{platform.machine()}, {os.cpu_count()} cores; {len(scans)} scans, {frames} frames, {points} points')
    print(f'{"":<36}{"per":>8}{"ours ms":>10}{"MVPNet ms":>11}{"faster":>9}')
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(scans, Path(folder), args):
            ours, theirs = measure(case)
            print(f'{case.name:<36}{case.unit:>8}{ours:>10.2f}{theirs:>11.2f}{theirs / ours:>8.1f}x', flush=True)
    print(agreement(scans, args.views))


def cases(scans: list[Scan], folder: Path, args: argparse.Namespace) -> Iterator[Case]:
    """All rows of the table."""
    first = scans[0]
    if args.raw:
        listed, run = folder / 'list.txt', iter(range(10**6))
        listed.write_text(first.name)
        yield Case(
            'conversion (theirs: frames alone)', 'frame', len(first.frames),
            lambda: create_scannet_infos(args.raw, folder / f'ours{next(run)}', lists={'train': listed}),
            lambda: mvpnet.convert(args.raw, first.name, folder / f'theirs{next(run)}'), args.repeats,
        )  # fmt: skip
    yield Case(
        'overlap of frames and base points', 'frame', sum(len(scan.frames) for scan in scans),
        lambda: [our_overlap(scan) for scan in scans], lambda: [mvpnet.overlap(scan) for scan in scans], args.repeats,
    )  # fmt: skip
    random = np.random.default_rng(0)
    boxes = [chunk_of(first, random)[0] for _ in range(100)]
    base = first.points[first.base]
    for count in (len(first.frames), 1500):  # real scans have 1500 frames or so
        rows = np.resize(first.seen, (count, len(base)))
        columns = np.ascontiguousarray(rows.T)
        yield Case(
            f'choice of {args.views} views from {count} frames', 'chunk', len(boxes),
            lambda rows=rows: [greedy_views(rows[:, in_box(base, box)], args.views) for box in boxes],
            lambda columns=columns: [mvpnet.choose_views(columns[inside(base, b)], args.views) for b in boxes],
            args.repeats,
        )  # fmt: skip
    for scan in scans:
        mvpnet.write_as_mvpnet(scan, folder)
    seen = [np.ascontiguousarray(scan.seen.T) for scan in scans]
    for neighbours in (0, 3, 64):
        turn = iter(range(10**6))

        def theirs(neighbours: int = neighbours, turn: Iterator[int] = turn) -> object:
            which = next(turn) % len(scans)
            return sample(scans[which], seen[which], folder, args.views, neighbours, random)

        yield Case(f'training sample, {neighbours or "no"} neighbours', 'sample', 1,
                   our_samples(args.config, args.data, len(scans), args.views, neighbours), theirs, args.samples)


def measure(case: Case) -> tuple[float, float]:
    """Median milliseconds of a unit; both sides take turns, and the first turn warms up."""
    times: list[list[float]] = [[], []]
    for turn in range(case.repeats + 1):
        for function, spent in zip((case.ours, case.theirs), times):
            start = time.process_time()
            function()
            if turn:
                spent.append(1e3 * (time.process_time() - start) / case.units)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == '__main__':
    main()
