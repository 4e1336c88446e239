#!/usr/bin/env python
"""Measure the distances between clouds beside what one would call otherwise: mmdet3d, geomloss, scipy.

Each run has a process of its own, and the sides take turns. Seconds are medians, on a CPU of processor time (of all
threads), which other programs disturb less than the clock. Memory is the most that a run added to a process in which
everything is loaded (on CUDA the peak of its allocator). "ratio" is the other's number divided by ours. A side that
wants more than --memory is broken off: "> N". "apart" is how far the two results differ, relatively. geomloss is
measured where it is installed (pip install geomloss).
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import platform
import statistics

import torch
from distance_cases import CASES, Case
from distance_runs import Job, Result, measure

EXAMPLES = """examples:
  OMP_NUM_THREADS=1 python tools/benchmarks/distances.py --only Chamfer         # 1024, 2048 and 8192 points, batch 32
  OMP_NUM_THREADS=1 python tools/benchmarks/distances.py --points 1024 2048     # all rows
  python tools/benchmarks/distances.py --points 256 --batch 4 --repeats 1       # a quick look
Sinkhorn at 8192 points and batch 32 takes many minutes on a CPU.
"""


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
    print(
        f'torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores, {platform.machine()}, '
        f'{torch.cuda.get_device_name() if args.device.startswith("cuda") else "CPU"}; batch {args.batch}, '
        f'median of {args.repeats}'
    )
    head = ''.join(f'{unit:>11}{"other":>11}{"ratio":>9}' for unit in ('ours s', 'ours MB'))
    print(f'{"":<28}{"points":>7}{head}{"apart":>9}  other')
    for op, case in CASES.items():
        for points in args.points:
            if any(word in op for word in args.only) and points <= (case.max_points or points):
                print(f'{op:<28}{points:>7}{row(case, run(op, case, points, args), args.memory)}', flush=True)


def run(op: str, case: Case, points: int, args: argparse.Namespace) -> dict[str, list[Result | None]]:
    """Results of both sides; a side without memory is not asked again, one that is not installed not at all."""
    missing = case.other_name == 'geomloss' and importlib.util.find_spec('geomloss') is None
    results: dict[str, list[Result | None]] = {'ours': [], 'other': []}
    # A forked process has everything loaded and a peak of its own; CUDA does not survive a fork.
    context = multiprocessing.get_context('spawn' if args.device.startswith('cuda') else 'fork')
    for _ in range(args.repeats):
        for side, done in results.items():
            if None not in done and not (missing and side == 'other'):
                with context.Pool(1) as pool:
                    job = Job(op, side, points, args.batch, args.device, args.memory)
                    done.append(pool.apply(measure, (job,)))
    return results


def row(case: Case, results: dict[str, list[Result | None]], limit: float) -> str:
    """Numbers of both sides and their ratios."""
    text = ''
    for field, digits in (('seconds', 3), ('megabytes', 1)):
        numbers = []
        for done in results.values():
            complete = bool(done) and None not in done
            numbers.append(statistics.median(getattr(result, field) for result in done) if complete else None)
            broken = f'> {1000 * limit:.0f}' if done and field == 'megabytes' else '-'
            text += f'{numbers[-1]:>11.{digits}f}' if complete else f'{broken:>11}'
        text += f'{numbers[1] / numbers[0]:>9.1f}' if all(numbers) else f'{"-":>9}'
    (mine, *_), theirs = results['ours'], results['other'][:1]
    comparable = mine and theirs and theirs[0]
    apart = f'{abs(mine.value / theirs[0].value - 1):.0e}' if comparable else '-'
    return f'{text}{apart:>9}  {case.other_name}{"" if theirs else ": not installed"}'


if __name__ == '__main__':
    main()
