#!/usr/bin/env python
"""Measure ``pixel_to_point`` beside plain numpy, which turns every pixel into a point and then chooses some.

A disc of random colours is the foreground, of a third of the image; then all of the image is. Both sides take turns;
milliseconds are medians of processor time, which other programs disturb less than the clock. "faster" is plain divided
by ours.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from typing import Any, Callable

import numpy as np
import torch

from mmfusion_plugin.ops.pixel_to_point import pixel_to_point

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
    image: np.ndarray, mask: np.ndarray, num_points: int, foreground: str = 'mask', features: str = 'xyz', **_: Any
) -> np.ndarray:
    """All pixels first; random ones in any case, as choosing farthest points among all of them takes minutes."""
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
    return points[np.random.choice(len(points), num_points, replace=False)].astype(np.float32)


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
                rng = np.random.default_rng(0)
                options = dict(options, num_points=args.points)
                ours, theirs = measure(
                    [
                        lambda o=options, r=rng, i=image, m=mask: pixel_to_point(i, m, rng=r, **o),
                        lambda o=options, i=image, m=mask: plain(i, m, **o),
                    ],
                    args.repeats,
                )
                size, share = 'x'.join(map(str, SIZES[name])), 'all' if whole else 'a third'
                print(f'{size:<12}{share:<12}{case:<24}{ours:>10.2f}{theirs:>10.2f}{theirs / ours:>8.1f}x', flush=True)


if __name__ == '__main__':
    main()
