#!/usr/bin/env python
"""Measure ``ResNetFCN`` beside 2DPASS's order of evaluation: four maps at the image's size, read at integer pixels.

One image of 240 x 400 and the points that one camera sees; all sides hold the same weights and take turns. Prints the
median seconds of a forward pass, of forward and backward, and the peak memory of one such step: what the process grew
by (ru_maxrss) after the model was built, each side in a process of its own. "ratio" is that row divided by ours.
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
from typing import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from mmfusion_plugin.apis.keyframe import load_keyframe
from mmfusion_plugin.converters.nuscenes_taxonomy import CAMERAS, IMAGE_SIZE
from mmfusion_plugin.models.backbones import ResNetFCN

HEIGHT, WIDTH, MEGABYTE = 240, 400, 2**20
Side = Callable[[ResNetFCN, Tensor, Tensor], Iterator[Tensor]]

EXAMPLES = """examples:
  python tools/benchmarks/image_branch.py                                # 4,500 random pixels
  python tools/benchmarks/image_branch.py --info data/nuscenes/nuscenes_infos_val.json --camera CAM_FRONT
  OMP_NUM_THREADS=1 python tools/benchmarks/image_branch.py --repeats 5  # one thread, steadier on a busy machine
"""


def ours(model: ResNetFCN, image: Tensor, pixels: Tensor) -> Iterator[Tensor]:
    yield from model(image, pixels, torch.zeros(len(pixels), dtype=torch.long))


def full_maps(model: ResNetFCN, image: Tensor, pixels: Tensor) -> Iterator[Tensor]:
    """As published: every decoded map at the image's size, and all four of them before the first is read."""
    columns, rows = (pixels + 0.5).long().unbind(1)
    decoded = [
        F.interpolate(decoder(stage), size=image.shape[2:], mode='nearest')
        for decoder, stage in zip(model.decoders, model.trunk(image))
    ]
    for level in decoded:
        yield level.permute(0, 2, 3, 1)[0, rows, columns]


def full_maps_channels_last(model: ResNetFCN, image: Tensor, pixels: Tensor) -> Iterator[Tensor]:
    yield from full_maps(model, image.contiguous(memory_format=torch.channels_last), pixels)


def trunk_alone(model: ResNetFCN, image: Tensor, pixels: Tensor) -> Iterator[Tensor]:
    yield from model.trunk(image.contiguous(memory_format=torch.channels_last))


SIDES: dict[str, Side] = {
    'full-resolution maps, as published': full_maps,
    'the same, channels_last': full_maps_channels_last,
    'ResNetFCN': ours,
    'its trunk alone': trunk_alone,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--info', help='info file whose first sweep gives the pixels; random ones without it')
    parser.add_argument('--camera', default='CAM_FRONT', choices=CAMERAS, help='camera of --info')
    parser.add_argument('--pixels', type=int, default=4500, help='number of random pixels')
    parser.add_argument('--repeats', type=int, default=5, help='steps of each side; the median counts')
    args = parser.parse_args()
    pixels = keyframe_pixels(args.info, args.camera) if args.info else random_pixels(args.pixels)
    cells = len((pixels / 2 + 0.25).long().unique(dim=0))
    print(
        f'torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores, {platform.machine()}; '
        f'1 x 3 x {HEIGHT} x {WIDTH}, {len(pixels)} pixels in {cells} cells of stride 2; median of {args.repeats}'
    )
    # Memory first: on Linux a new process starts from the peak of the one that started it, still small by now.
    memory = {name: measure_memory(name, pixels) for name in SIDES}
    times = measure_times(pixels, args.repeats)
    print(f'{"":<38}{"forward s":>10}{"ratio":>7}{"both s":>10}{"ratio":>7}{"peak MB":>10}{"ratio":>7}')
    mine = (*times['ResNetFCN'], memory['ResNetFCN'])
    for name in SIDES:
        numbers = zip((*times[name], memory[name]), mine, (2, 2, 0))
        print(f'{name:<38}' + ''.join(f'{value:>10.{digits}f}{value / one:>7.2f}' for value, one, digits in numbers))


def random_pixels(count: int) -> Tensor:
    torch.manual_seed(0)
    return torch.rand(count, 2) * torch.tensor([WIDTH, HEIGHT]) - 0.5


def keyframe_pixels(info_file: str, camera: str) -> Tensor:
    """Pixels (M, 2) of the sweep's points that the camera sees, in the resized image."""
    keyframe = load_keyframe(info_file)
    match = keyframe.match(keyframe.points()[:, :3])[:, list(keyframe.images).index(camera)]
    seen = torch.from_numpy(match[match[:, 0] > -0.75])
    return (seen + 0.5) * torch.tensor([WIDTH, HEIGHT]) / torch.tensor(IMAGE_SIZE) - 0.5


def step(side: Side, model: ResNetFCN, image: Tensor, pixels: Tensor) -> tuple[float, float]:
    """Seconds of the forward pass, and of forward and backward."""
    model.zero_grad()
    start = time.perf_counter()
    levels = list(side(model, image, pixels))
    middle = time.perf_counter()
    sum(level.square().mean() for level in levels).backward()
    return middle - start, time.perf_counter() - start


def model_and_image() -> tuple[ResNetFCN, Tensor]:
    torch.manual_seed(0)
    return ResNetFCN().train(), torch.randn(1, 3, HEIGHT, WIDTH)


def measure_times(pixels: Tensor, repeats: int) -> dict[str, tuple[float, float]]:
    """Medians; the sides take turns, to be fair on a busy machine, and the first turn warms up."""
    model, image = model_and_image()
    turns = [{name: step(side, model, image, pixels) for name, side in SIDES.items()} for _ in range(repeats + 1)]
    return {name: tuple(statistics.median(turn[name][part] for turn in turns[1:]) for part in (0, 1)) for name in SIDES}


def measure_memory(name: str, pixels: Tensor) -> float:
    """Megabytes that a fresh process grows by in two steps."""
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(growth, (name, pixels))


def growth(name: str, pixels: Tensor) -> float:
    model, image = model_and_image()
    before = peak_memory()
    for _ in range(2):
        step(SIDES[name], model, image, pixels)
    return peak_memory() - before


def peak_memory() -> float:
    """Megabytes; Linux counts ru_maxrss in kilobytes, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024) / MEGABYTE


if __name__ == '__main__':
    main()
