#!/usr/bin/env python
"""Measure ``pixel_to_point`` beside plain numpy, which turns every pixel into a point and then chooses some.

A disc of random colours is the foreground, of a third of the image; then all of the image is. Both sides take turns;
milliseconds are medians of processor time, which other programs disturb less than the clock. "faster" is plain divided
by ours. For farthest points plain numpy chooses among the same 8 candidates per point as ours, drawn alike: among all
pixels it would take minutes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from functools import partial
from typing import Any, Callable

import numpy as np
import torch

from mmfusion_plugin.ops.pixel_to_point import CANDIDATES_PER_POINT, pixel_to_point

SIZES = {'0.3': (640, 480), '3': (2000, 1500), '12': (4000, 3000)}
CASES: dict[str, dict[str, Any]] = {
    'xyz, random': {},
    'xyzrgb, random': dict(features='xyzrgb'),
    'xyz, not black': dict(foreground='nonblack'),
    'xyz, farthest points': dict(sampling='fps'),
}
EXAMPLES = """examples:
  OMP_NUM_THREADS=1 python tools/benchmarks/pixel_to_point.py
  OMP_NUM_THREADS=1 python tools/benchmarks/pixel_to_point.py --megapixels 0.3 --repeats 3   # a quick look
  OMP_NUM_THREADS=1 python tools/benchmarks/pixel_to_point.py --points 102
"""


def plain(
    image: np.ndarray, mask: np.ndarray, num_points: int, rng: np.random.Generator, foreground: str = 'mask',
    features: str = 'xyz', sampling: str = 'random',
) -> np.ndarray:  # fmt: skip
    """All pixels first, then a random choice, and farthest points among these."""
    height, width = mask.shape
    rgb = image[..., ::-1].astype(np.float32)
    v, u = np.meshgrid(np.arange(height), np.arange(width), indexing='ij')
    half = max(height, width) / 2
    cloud = np.stack([(u + 0.5 - width / 2) / half, (height / 2 - v - 0.5) / half, rgb.mean(2) / 255], axis=2)
    if features == 'xyzrgb':
        cloud = np.concatenate([cloud, rgb / 255], axis=2)
    kept = mask > 0
    if foreground == 'nonblack':
        kept &= image.any(axis=2)
    points = cloud[kept]
    wanted = min(num_points * (CANDIDATES_PER_POINT if sampling == 'fps' else 1), len(points))
    points = points[rng.choice(len(points), wanted, replace=False)].astype(np.float32)
    return points[farthest(points[:, :3], num_points)] if sampling == 'fps' else points


def farthest(points: np.ndarray, count: int) -> np.ndarray:
    """Positions of ``count`` among points ``(N, 3)``, from the first on each the farthest from those before it."""
    chosen = np.zeros(count, np.int64)
    away = np.full(len(points), np.inf, np.float32)
    for k in range(1, count):
        away = np.minimum(away, ((points - points[chosen[k - 1]]) ** 2).sum(axis=1))
        chosen[k] = away.argmax()
    return chosen


def photograph(size: tuple[int, int], whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask."""
    width, height = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    row, column = np.ogrid[:height, :width]
    disc = (row - height / 2) ** 2 + (column - width / 2) ** 2 < width * height / (3 * np.pi)
    return image, np.ones((height, width), np.uint8) if whole else disc.astype(np.uint8)


def measure(sides: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median milliseconds of each; the first turn warms up."""
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats + 1):
        for side, spent in zip(sides, times):
            start = time.process_time()
            side()
            if turn:
                spent.append(1e3 * (time.process_time() - start))
    return [statistics.median(spent) for spent in times]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--megapixels', nargs='+', choices=SIZES, default=list(SIZES), help='of the image (all)')
    parser.add_argument('--points', type=int, default=1024, help='of a cloud (%(default)s)')
    parser.add_argument('--repeats', type=int, default=7, help='runs of each side; the median counts (%(default)s)')
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f'{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}; {args.points} points')
    print(f'{"image":<12}{"foreground":<12}{"":<24}{"ours ms":>10}{"plain ms":>10}{"faster":>9}')
    for name in args.megapixels:
        for whole in (False, True):
            image, mask = photograph(SIZES[name], whole)
            for case, options in CASES.items():
                options = dict(options, num_points=args.points, rng=np.random.default_rng(0))
                both = (partial(side, image, mask, **options) for side in (pixel_to_point, plain))
                ours, theirs = measure(list(both), args.repeats)
                size, share = 'x'.join(map(str, SIZES[name])), 'all' if whole else 'a third'
                print(f'{size:<12}{share:<12}{case:<24}{ours:>10.2f}{theirs:>10.2f}{theirs / ours:>8.1f}x', flush=True)


if __name__ == '__main__':
    main()
