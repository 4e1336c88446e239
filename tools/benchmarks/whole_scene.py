#!/usr/bin/env python
"""Measure the segmentation of a whole scene beside the plain protocol: each chunk alone, its images encoded anew.

Both give the same answer, which is checked. Each run has a process of its own and the sides take turns; seconds are the
median of the runs, memory is the most that a run added to the process with model and scene loaded (on CUDA the peak of
its allocator). "ratio" is the plain protocol's number divided by ours. Without --index the scene is an empty room of
random points and noise as images, and without --checkpoint weights are random: neither changes the work.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from typing import NamedTuple

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from scene_cases import load_scene
from scene_protocols import SIDES, count_images

import mmfusion_plugin  # noqa: F401  (registers the models)
from mmfusion_plugin.compat import install_safe_checkpoint_loading

MEGABYTE = 2**20
_SAME = 1e-3  # of logits, beyond which the two protocols are not one method
EXAMPLES = """examples:
  python tools/benchmarks/whole_scene.py CONFIG                                # a random room of 6 x 5 m
  python tools/benchmarks/whole_scene.py CONFIG --size 3 3 --points 40000 --views 12 --views-per-chunk 3
  python tools/benchmarks/whole_scene.py CONFIG --checkpoint CHECKPOINT --index 0 \\
      --cfg-options test_dataloader.dataset.data_root=data/scannet             # first scan of the test set
  python tools/benchmarks/whole_scene.py CONFIG --cfg-options model.test_cfg.chunks_per_batch=4
"""


class Job(NamedTuple):
    """What one process measures."""

    side: str
    args: argparse.Namespace


class Result(NamedTuple):
    """Of one run."""

    seconds: float
    memory_mb: float
    images: int
    logits: np.ndarray  # a tensor's memory would go with the process that made it


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of a model on points, with or without images')
    parser.add_argument('--checkpoint', help='weights (default: random ones)')
    parser.add_argument('--index', type=int, help="scan of the config's test set (default: a random room)")
    parser.add_argument('--size', type=float, nargs=2, default=(6.0, 5.0), help='of the room, metres (%(default)s)')
    parser.add_argument('--points', type=int, default=150000, help='of the room (%(default)s)')
    parser.add_argument('--views', type=int, default=40, help='of the room, 160 x 120 pixels each (%(default)s)')
    parser.add_argument('--views-per-chunk', type=int, default=5, help='in the room (%(default)s)')
    parser.add_argument('--runs', type=int, default=1, help='of each side (%(default)s)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu or cuda')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override the config, KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    cfg = load_config(args)
    scene = load_scene(cfg, args)['inputs']
    views = len(scene['imgs'][0]) if 'imgs' in scene else 0
    print(
        f'torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores, {platform.machine()}, '
        f'{torch.cuda.get_device_name() if args.device.startswith("cuda") else "CPU"}; {cfg.model.type}, '
        f'{len(scene["points"][0])} points, {len(scene["chunk_boxes"][0])} chunks, {views} views; runs: {args.runs}'
    )
    del scene
    results: dict[str, list[Result]] = {side: [] for side in SIDES}
    # A process per run: the peak of a process never falls.
    with multiprocessing.get_context('spawn').Pool(1, maxtasksperchild=1) as pool:
        for _ in range(args.runs):
            for side in SIDES:
                results[side].append(pool.apply(measure, (Job(side, args),)))
    print_table(results)


def load_config(args: argparse.Namespace) -> Config:
    """The config with its overrides; without bars, which are none of the work."""
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict({'model.test_cfg.progress': False})
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    return cfg


def measure(job: Job) -> Result:
    """Build model and scene, and segment it once."""
    args = job.args
    cfg = load_config(args)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    if args.checkpoint:
        install_safe_checkpoint_loading()
        load_checkpoint(model, args.checkpoint, map_location='cpu')
    model = model.to(args.device).eval()
    batch = load_scene(cfg, args)
    inputs = model.data_preprocessor(batch, False)['inputs']
    images = count_images(model)
    before = peak_memory(args.device)
    start = now(args.device)
    with torch.no_grad():
        logits = SIDES[job.side](model, inputs)
    seconds = now(args.device) - start
    return Result(seconds, (peak_memory(args.device) - before) / MEGABYTE, sum(images), logits.cpu().numpy())


def now(device: str) -> float:
    """Seconds, once the device is idle."""
    if device.startswith('cuda'):
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_memory(device: str) -> int:
    """Bytes; Linux counts ru_maxrss in kilobytes, macOS in bytes."""
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)


def print_table(results: dict[str, list[Result]]) -> None:
    """Numbers of both sides, and how well they agree."""
    print(f'{"":<16}{"seconds":>10}{"ratio":>8}{"peak MB":>10}{"ratio":>8}{"images":>8}')
    mine = summary(results['whole scene'])
    for side, runs in results.items():
        (seconds, memory), images = summary(runs), runs[0].images
        print(f'{side:<16}{seconds:>10.1f}{seconds / mine[0]:>8.2f}{memory:>10.0f}{memory / mine[1]:>8.2f}{images:>8}')
    one, other = (runs[0].logits for runs in results.values())
    agree = (one.argmax(1) == other.argmax(1)).mean()
    difference = np.abs(one - other).max()
    print(f'largest difference of logits {difference:.1e}, {100 * agree:.2f} % of points alike')
    if difference > _SAME:
        sys.exit('whole_scene: the two protocols differ')


def summary(runs: list[Result]) -> tuple[float, float]:
    """Median seconds and megabytes."""
    return statistics.median(run.seconds for run in runs), statistics.median(run.memory_mb for run in runs)


if __name__ == '__main__':
    main()
