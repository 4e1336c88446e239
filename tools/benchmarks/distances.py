#!/usr/bin/env python
"""Measure the distances between clouds beside what one would call otherwise: mmdet3d, geomloss, scipy.

Each run has a process of its own, and the sides take turns. Seconds are medians, on a CPU of processor time (of all
threads), which other programs disturb less than the clock. Memory is the most that a run added to a process in which
everything is loaded and called once on small clouds (on CUDA the peak of its allocator). "ratio" is the other's number
divided by ours. A run that asks for more than --memory is broken off, and its row says so. "apart" is how far the two
results differ, relatively. geomloss is measured where it is installed (pip install geomloss).
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import platform
import re
import resource
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import torch
from distance_cases import CASES, Case, clouds

EXAMPLES = """examples:
  OMP_NUM_THREADS=1 python tools/benchmarks/distances.py --only Chamfer         # 1024, 2048 and 8192 points, batch 32
  OMP_NUM_THREADS=1 python tools/benchmarks/distances.py --points 1024 2048     # all rows
  python tools/benchmarks/distances.py --points 256 --batch 4 --repeats 1       # a quick look
Sinkhorn at 8192 points and batch 32 takes many minutes on a CPU.
"""


class Job(NamedTuple):
    """What one process measures."""

    op: str
    side: str
    points: int
    args: argparse.Namespace


class Result(NamedTuple):
    """Of one run."""

    seconds: float
    megabytes: float
    value: float


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--points', type=int, nargs='+', default=[1024, 2048, 8192], help='per cloud (%(default)s)')
    parser.add_argument('--batch', type=int, default=32, help='clouds (%(default)s)')
    parser.add_argument('--repeats', type=int, default=3, help='runs of each side; the median counts (%(default)s)')
    parser.add_argument('--memory', type=float, default=8, help='GB that a run may add (%(default)s)')
    parser.add_argument('--only', nargs='+', default=[''], metavar='WORD', help='rows whose name holds one of these')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu or cuda')
    args = parser.parse_args()
    where = torch.cuda.get_device_name() if args.device.startswith('cuda') else 'CPU'
    print(
        f'torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores, {platform.machine()}, {where}; '
        f'batch {args.batch}, median of {args.repeats}'
    )
    head = ''.join(f'{unit:>11}{"other":>11}{"ratio":>9}' for unit in ('ours s', 'ours MB'))
    print(f'{"":<28}{"points":>7}{head}{"apart":>9}  other')
    for op, case in CASES.items():
        for points in args.points:
            if any(word in op for word in args.only) and points <= (case.max_points or points):
                print(row(op, case, points, args), flush=True)


def row(op: str, case: Case, points: int, args: argparse.Namespace) -> str:
    """One line of the table; memory comes first where a side went without."""
    sides = ['ours', 'other']
    if case.other_name == 'geomloss' and importlib.util.find_spec('geomloss') is None:
        sides = ['ours']
    results: dict[str, list[Result | None]] = {side: [] for side in sides}
    # A forked process has everything loaded and a peak of its own; CUDA does not survive a fork.
    context = multiprocessing.get_context('spawn' if args.device.startswith('cuda') else 'fork')
    with context.Pool(1, maxtasksperchild=1) as pool:
        for _ in range(args.repeats):
            for side in sides:
                if None not in results[side]:
                    results[side].append(pool.apply(measure, (Job(op, side, points, args),)))
    line = f'{op:<28}{points:>7}'
    most = f'> {1000 * args.memory:.0f}'
    mine, theirs = (results['ours'], results.get('other', []))
    for field, digits in (('seconds', 3), ('megabytes', 1)):
        numbers = [statistics.median(getattr(r, field) for r in side) if side and None not in side else None
                   for side in (mine, theirs)]
        texts = [f'{n:.{digits}f}' if n is not None else most if field == 'megabytes' and side else '-'
                 for n, side in zip(numbers, (mine, theirs))]
        ratio = f'{numbers[1] / max(numbers[0], 1e-9):.1f}' if None not in numbers else '-'
        line += f'{texts[0]:>11}{texts[1]:>11}{ratio:>9}'
    both = mine and theirs and None not in [*mine, *theirs]
    apart = f'{abs(mine[0].value - theirs[0].value) / abs(theirs[0].value):.0e}' if both else '-'
    return f'{line}{apart:>9}  {case.other_name}{"" if theirs else ": not installed"}'


def measure(job: Job) -> Result | None:
    """One run, or None where the memory did not suffice."""
    args, case = job.args, CASES[job.op]
    cuda = args.device.startswith('cuda')
    clock = time.perf_counter if cuda else time.process_time
    function = case.ours if job.side == 'ours' else case.other

    def step(points: int) -> float:
        prediction, truth = clouds(args.batch, points, args.device)
        value = function(prediction.requires_grad_(case.backward), truth)
        if case.backward:
            value.backward()
        return float(value)  # waits for the device

    step(32)
    before = memory('VmRSS', cuda)
    limit_memory(args.memory, cuda)
    start = clock()
    try:
        value = step(job.points)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not re.search("can't allocate|out of memory", str(error)):
            raise
        return None
    return Result(clock() - start, memory('VmHWM', cuda) - before, value)


def limit_memory(gigabytes: float, cuda: bool) -> None:
    """Let this process allocate so much more."""
    if cuda:
        torch.cuda.set_per_process_memory_fraction(min(1.0, 1e9 * gigabytes / torch.cuda.mem_get_info()[1]))
    else:
        most = int(1e6 * memory('VmData', cuda) + 1e9 * gigabytes)
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def memory(field: str, cuda: bool) -> float:
    """Megabytes of this process by the kernel's account (Linux), or at most in use on the GPU."""
    if cuda:
        return torch.cuda.max_memory_allocated() / 1e6
    return int(re.search(rf'{field}:\s+(\d+) kB', Path('/proc/self/status').read_text())[1]) * 1024 / 1e6


if __name__ == '__main__':
    main()
