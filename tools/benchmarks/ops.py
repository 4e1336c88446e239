#!/usr/bin/env python
"""Measure the primitives beside what one would call otherwise, in one run on one machine.

Prints one table: milliseconds of ours and of the other (medians of runs that take turns) and their ratio; below 1 ours
is faster.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from typing import Iterator

import torch
from feature_cases import image_cases, scatter_cases
from point_cases import Case, cpu_cases, cuda_cases, lidar_cloud
from sparse_cases import sparse_cases
from voxel_cases import voxel_cases

EXAMPLES = """examples:
  python tools/benchmarks/ops.py                      # 35,000 and 150,000 points
  python tools/benchmarks/ops.py --quick              # 35,000 points, 3 repeats
  python tools/benchmarks/ops.py --only scatter conv  # rows whose name holds one of the words
  OMP_NUM_THREADS=1 python tools/benchmarks/ops.py    # one thread, steadier on a busy machine
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--points', type=int, nargs='+', default=[35_000, 150_000], help='sizes of the cloud')
    parser.add_argument('--repeats', type=int, default=7, help='runs of each function; the median counts')
    parser.add_argument('--quick', action='store_true', help='35,000 points and 3 repeats')
    parser.add_argument('--only', nargs='+', default=[''], metavar='WORD', help='rows whose name holds one of these')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu or cuda')
    args = parser.parse_args()
    sizes, repeats = ([35_000], 3) if args.quick else (args.points, args.repeats)
    print(
        f'torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores, {platform.machine()}, '
        f'{torch.cuda.get_device_name() if args.device == "cuda" else "CPU"}; median of {repeats}'
    )
    print(f'{"op":<38}{"points":>8}{"ours ms":>10}{"other ms":>10}{"ratio":>7}  other')
    for points in sizes:
        for case in cases(points, args.device):
            if any(word in case.op for word in args.only):
                ours, other = measure(case, repeats, args.device)
                beside = f'{"-":>10}{"-":>7}' if other is None else f'{other:>10.2f}{ours / other:>7.2f}'
                print(f'{case.op:<38}{points:>8}{ours:>10.2f}{beside}  {case.other_name}', flush=True)


def cases(points: int, device: str) -> Iterator[Case]:
    """All rows of the table for one size of cloud."""
    torch.manual_seed(0)
    cloud = lidar_cloud(points).to(device)
    yield from cuda_cases(cloud) if device == 'cuda' else cpu_cases(cloud)
    yield from voxel_cases(cloud)
    yield from scatter_cases(cloud)
    yield from image_cases(cloud)
    try:
        yield from sparse_cases(cloud)
    except ModuleNotFoundError as error:
        print(f'sparse convolution left out: {error} (pip install spconv, or spconv-cu126 for CUDA)')


def measure(case: Case, repeats: int, device: str) -> tuple[float, float | None]:
    """Median milliseconds of ours and of the other, if there is one; they take turns, to be fair on a busy machine."""
    functions = [function for function in (case.ours, case.other) if function is not None]
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(repeats + 1):
        for function, spent in zip(functions, times):
            start = time.perf_counter()
            function()
            if device == 'cuda':
                torch.cuda.synchronize()
            if turn:  # the first run warms up
                spent.append(1e3 * (time.perf_counter() - start))
    ours, other = [*map(statistics.median, times), None][:2]
    return ours, other


if __name__ == '__main__':
    main()
