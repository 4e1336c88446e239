#!/usr/bin/env python
"""Measure the segmentors at reference size on one sweep: a training step with one camera, and a prediction.

A training step is preprocessing, forward pass, losses, backward pass, clipping and SGD. Seconds are the median and the
least of the steps; "core s" is the least processor time over all threads, which other programs on the machine disturb
less. Memory is the peak of the process (each model has its own), on CUDA that of its allocator. Parts are those of the
fastest of as many further steps, and add up to it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from typing import Any, Callable, NamedTuple

import torch
from mmengine.runner import autocast
from segmentor_cases import CONFIGS, build_model, build_optimiser, charge_parts, keyframe_batch
from stopwatch import Stopwatch

from mmfusion_plugin.files import write_text

PARTS = (
    'voxelise', 'sparse conv', 'other encoder', 'head', '2D branch', 'fusion', 'loss', 'backward, sparse conv',
    'backward, other', 'optimiser', 'rest',
)  # fmt: skip
EXAMPLES = """examples:
  python tools/benchmarks/segmentors.py --info keyframe/info.json                              # all models
  python tools/benchmarks/segmentors.py --info keyframe/info.json --models lidar --hidden 64   # a narrow one
  python tools/benchmarks/segmentors.py --info data/nuscenes/nuscenes_infos_val.json --amp --device cuda
"""


class Job(NamedTuple):
    """What one process measures."""

    model: str
    info: str
    hidden: int
    steps: int
    amp: bool
    device: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--models', nargs='+', choices=CONFIGS, default=list(CONFIGS), help='which (default: all)')
    parser.add_argument('--info', required=True, help='info file; its first entry is the sweep')
    parser.add_argument('--hidden', type=int, default=256, help='width of the encoder (%(default)s)')
    parser.add_argument('--steps', type=int, default=3, help='timed steps, after an untimed one (%(default)s)')
    parser.add_argument('--amp', action='store_true', help='float16 on CUDA, bfloat16 on a CPU')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu or cuda')
    parser.add_argument('--out', help='write the numbers here as JSON')
    args = parser.parse_args()
    jobs = [Job(name, args.info, args.hidden, args.steps, args.amp, args.device) for name in args.models]
    points = len(keyframe_batch(args.info)['inputs']['points'][0])
    print(
        f'torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores, {platform.machine()}, '
        f'{torch.cuda.get_device_name() if args.device.startswith("cuda") else "CPU"}; '
        f'{points} points, width {args.hidden}, {args.steps} steps{", mixed precision" if args.amp else ""}'
    )
    print(f'{"":<20}{"median s":>10}{"least s":>10}{"core s":>10}{"peak GB":>10}')
    results = {}
    # A process per model: the peak of a process never falls.
    with multiprocessing.get_context('spawn').Pool(1, maxtasksperchild=1) as pool:
        for job, result in zip(jobs, pool.imap(measure, jobs)):
            results[job.model] = result
            for run, numbers in result.items():
                columns = (numbers[key] for key in ('median_s', 'least_s', 'core_s', 'peak_gb'))
                print(f'{job.model + ", " + run:<20}' + ''.join(f'{value:>10.2f}' for value in columns), flush=True)
    for run in ('train', 'predict'):
        print_parts(run, {name: result[run]['parts'] for name, result in results.items()})
    if args.out:
        write_text(args.out, json.dumps(results, indent=1) + '\n')


def measure(job: Job) -> dict[str, dict[str, Any]]:
    """Numbers of a prediction and of a training step."""
    model = build_model(job.model, job.hidden, job.device)
    optimiser = build_optimiser(model, job.amp)
    batch = keyframe_batch(job.info)
    points_alone = {**batch, 'inputs': {'points': batch['inputs']['points']}}
    watch = Stopwatch(clock(job.device))

    def predict() -> None:
        with torch.no_grad(), autocast(enabled=job.amp):
            model.test_step(points_alone)

    def train() -> None:
        model.train_step(batch, optimiser)

    results = {}
    for name, run in (('predict', predict), ('train', train)):
        model.train(name == 'train')
        results[name] = time_steps(run, job.steps, job.device, watch.now)
    charge_parts(watch, model, optimiser)
    for name, run in (('predict', predict), ('train', train)):
        model.train(name == 'train')
        results[name]['parts'] = time_parts(run, job.steps, watch)
    return {'train': results['train'], 'predict': results['predict']}


def time_steps(run: Callable[[], None], steps: int, device: str, now: Callable[[], float]) -> dict[str, Any]:
    """Seconds and peak memory of ``run``, whose first call warms up."""
    if device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
    seconds, cores = [], []
    for _ in range(steps + 1):
        start, busy = now(), time.process_time()
        run()
        seconds.append(now() - start)
        cores.append(time.process_time() - busy)
    return {
        'median_s': statistics.median(seconds[1:]),
        'least_s': min(seconds[1:]),
        'core_s': min(cores[1:]),
        'peak_gb': peak_memory(device) / 1e9,
    }


def time_parts(run: Callable[[], None], steps: int, watch: Stopwatch) -> dict[str, float]:
    """Seconds of each part of the fastest step."""
    found = []
    for _ in range(steps):
        watch.seconds.clear()
        with watch.part('rest'):
            run()
        found.append(dict(watch.seconds))
    return min(found, key=lambda parts: sum(parts.values()))


def clock(device: str) -> Callable[[], float]:
    """Seconds, once the device is idle."""

    def now() -> float:
        if device.startswith('cuda'):
            torch.cuda.synchronize()
        return time.perf_counter()

    return now


def peak_memory(device: str) -> int:
    """Bytes."""
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)


def print_parts(run: str, parts: dict[str, dict[str, float]]) -> None:
    """Table of seconds and shares, a column pair per model."""
    print('\n' + f'{run + ", s and share":<24}' + ''.join(f'{name:>16}' for name in parts))
    for part in PARTS:
        if any(part in seconds for seconds in parts.values()):
            cells = ((seconds.get(part, 0.0), sum(seconds.values())) for seconds in parts.values())
            print(f'{part:<24}' + ''.join(f'{spent:>10.3f}{spent / total:>6.0%}' for spent, total in cells))
    print(f'{"sum":<24}' + ''.join(f'{sum(seconds.values()):>10.3f}{"":>6}' for seconds in parts.values()))


if __name__ == '__main__':
    main()
