"""Options and run of ``make_synthetic.py shapenet``."""

from __future__ import annotations

import argparse
import os

EXAMPLES = """examples:
  python tools/make_synthetic.py shapenet --out data/shapenet --models 100 --seed 0
  # the five categories of CISP, and a few pictures of each model
  python tools/make_synthetic.py shapenet --out data/shapenet_cisp --models 200 --views 4 \\
      --categories aeroplane car chair table watercraft

  <out>/ShapeNetRendering/<synset>/<id>/rendering/         00.png ... (137 x 137 RGBA), rendering_metadata.txt
                                                           (azimuth, elevation, 0, ratio, 25), renderings.txt
  <out>/ShapeNetVox32/<synset>/<id>/model.binvox           32^3 voxels
  <out>/ShapeNet_pointclouds/<synset>/<id>/                pointcloud_1024.npy, pointcloud_2048.npy
  <out>/splits/train_models.json, val_models.json          80 and 20 per cent, as 3D-LMNet's
  <out>/ShapeNet.json                                      train, val, test: 70, 10 and 20 per cent, as CISP's

An interrupted run goes on where it stopped when the same command is given again.
"""


def add(datasets: argparse._SubParsersAction) -> None:
    """The subcommand and its options."""
    shapenet = datasets.add_parser(
        'shapenet',
        help='models of 13 categories with pictures, voxels and point clouds',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = shapenet.add_argument
    option('--out', required=True, help='folder to write')
    option('--models', type=int, default=20, help='of each category (default: %(default)s)')
    option('--categories', nargs='+', metavar='NAME', help='names, as chair or airplane, or synset ids (default: all)')
    option('--seed', type=int, default=0, help='of the whole world (default: %(default)s)')
    option('--views', type=int, default=24, help='pictures of each model (default: %(default)s)')
    option('--workers', type=int, default=os.cpu_count(), help='processes (default: all cores)')


def run(args: argparse.Namespace) -> str:
    """Makes the world; returns a line about it."""
    from mmfusion_plugin.converters.shapenet_taxonomy import chosen_categories
    from mmfusion_plugin.synthetic.shapenet import make_shapenet

    root = make_shapenet(args.out, args.models, args.categories, args.seed, args.workers, args.views)
    count = len(chosen_categories(args.categories))
    return f'{root}: {args.models} models of each of {count} categories, {args.views} views of each model'
