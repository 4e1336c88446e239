#!/usr/bin/env python
"""Measure what prepares and loads ScanNet beside MVPNet's method, in one run of one process, as a loader's worker.

MVPNet's side is written from its description (``scannet_mvpnet.py``, ``scannet_samples.py``): numpy, Pillow and
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

import cv2
import torch
from scannet_agreement import agreement
from scannet_cases import Case, cases
from scannet_mvpnet import load_scan

EXAMPLES = """examples:
  # all but the conversion; one thread for numpy and scikit-learn too
  OMP_NUM_THREADS=1 python tools/benchmarks/scannet.py data/scannet_small
  # the conversion as well
  OMP_NUM_THREADS=1 python tools/benchmarks/scannet.py data/scannet_small --raw data/scannet
  # a quick look
  OMP_NUM_THREADS=1 python tools/benchmarks/scannet.py data/scannet_small --scans 1 --samples 5 --repeats 2
"""


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
    try:
        entries = json.loads((args.data / 'scannet_infos_train.json').read_text(encoding='utf-8'))['data_list']
        scans = [load_scan(args.data, entry) for entry in entries[: args.scans]]
    except FileNotFoundError as error:
        parser.error(f'{error}: convert the dataset by tools/create_data.py scannet')
    frames, points = (sum(len(part) for part in parts) for parts in zip(*((s.frames, s.points) for s in scans)))
    print(f'{platform.machine()}, {os.cpu_count()} cores; {len(scans)} scans, {frames} frames, {points} points')
    print(f'{"":<36}{"per":>8}{"ours ms":>10}{"MVPNet ms":>11}{"faster":>9}')
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(scans, Path(folder), args.data, args.raw, args.config, args.views):
            ours, theirs = measure(case, args.samples if case.unit == 'sample' else args.repeats)
            print(f'{case.name:<36}{case.unit:>8}{ours:>10.2f}{theirs:>11.2f}{theirs / ours:>8.1f}x', flush=True)
    print(agreement(scans, args.views))


def measure(case: Case, repeats: int) -> tuple[float, float]:
    """Median milliseconds of a unit; both sides take turns, and the first turn warms up."""
    times: list[list[float]] = [[], []]
    for turn in range(repeats + 1):
        for function, spent in zip((case.ours, case.theirs), times):
            start = time.process_time()
            function()
            if turn:
                spent.append(1e3 * (time.process_time() - start) / case.units)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == '__main__':
    main()
