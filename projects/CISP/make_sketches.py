#!/usr/bin/env python
"""Make sketches of a ShapeNet's pictures: the edges that Canny's detector finds, as dark lines on nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmfusion_plugin.converters.shapenet_files import RENDERINGS, ShapeNetTree
from mmfusion_plugin.converters.shapenet_splits import PARTS, find_split, read_split
from mmfusion_plugin.converters.shapenet_taxonomy import CISP_CATEGORIES
from mmfusion_plugin.datasets.shape_files import read_rendering
from mmfusion_plugin.files import write_bytes

EXAMPLES = """example:
  python projects/CISP/make_sketches.py data/shapenet --out data/shapenet_sketches
  python tools/test.py CONFIG CHECKPOINT --cfg-options test_dataloader.dataset.data_prefix.img=../shapenet_sketches
"""
#: Grey behind the object, side of the blur, both of Canny's thresholds (of 8 bits), and the lines' grey.
STYLE = dict(background=240, blur=3, low=50, high=150, line=0)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data_root', type=Path, help=f'folder with {RENDERINGS} and ShapeNet.json')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write, as the renderings are')
    parser.add_argument('--part', choices=PARTS['cisp'], default='test', help="of CISP's split (default: %(default)s)")
    parser.add_argument('--views', nargs='+', type=int, default=[0], metavar='N', help='default: 0')
    parser.add_argument('--categories', nargs='+', default=CISP_CATEGORIES, metavar='NAME', help="default: CISP's five")
    return parser.parse_args()


def flattened(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 4) uint8 before grey: (H, W, 3) uint8, channels in their order."""
    cover = picture[..., 3:] / 255
    return (cover * picture[..., :3] + (1 - cover) * STYLE['background']).round().astype(np.uint8)


def sketch_of(picture: np.ndarray) -> np.ndarray:
    """Edges of a picture (H, W, 4) uint8 BGRA: the same shape, opaque lines on full transparency."""
    grey = cv2.cvtColor(flattened(picture), cv2.COLOR_BGR2GRAY)
    smooth = cv2.GaussianBlur(grey, (STYLE['blur'], STYLE['blur']), 0)
    lines = cv2.Canny(smooth, STYLE['low'], STYLE['high'])
    return np.dstack([np.full((*lines.shape, 3), STYLE['line'], np.uint8), lines])


def make_sketches(args: argparse.Namespace) -> int:
    """Write a sketch for each picture, and from where each was taken; returns their number."""
    models = read_split(find_split(args.data_root, 'cisp', args.part), 'cisp', args.part, args.categories)
    ours, theirs = ShapeNetTree(args.out, args.out, args.out), ShapeNetTree.below(args.data_root)
    wanted = [(model, view) for model in models for view in args.views]
    for model, view in tqdm(wanted, desc='sketches', unit='picture'):
        picture = read_rendering(str(theirs.picture(model, view)))
        if picture.shape[2] != 4:
            raise ValueError(f'{theirs.picture(model, view)} has no alpha channel: unpack the renderings again')
        write_bytes(ours.picture(model, view), cv2.imencode('.png', sketch_of(picture))[1].tobytes())
    for model in models:
        write_bytes(ours.viewpoints(model), theirs.viewpoints(model).read_bytes())
    return len(wanted)


def main() -> None:
    """Run the command."""
    args = parse_args()
    try:
        print(f'{make_sketches(args)} sketches below {args.out}')
    except (OSError, ValueError) as error:
        sys.exit(f'make_sketches: {error}')


if __name__ == '__main__':
    main()
