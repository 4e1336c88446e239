#!/usr/bin/env python
"""Turn meshes of your own into a ShapeNet: pictures like 3D-R2N2's, voxels, point clouds and splits."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

EXAMPLES = """examples:
  # folders called like categories: meshes/chair/a.obj, meshes/table/b.ply, ...
  python tools/dataset_converters/mesh_to_shapenet.py meshes --out data/my_shapenet
  # all of one category; Blender's axes: z up, the front towards -y
  python tools/dataset_converters/mesh_to_shapenet.py scans --category chair --up +z --front=-y --out data/my_chairs
  # to test a trained model on them: nothing is held back for training
  python tools/dataset_converters/mesh_to_shapenet.py a.off b.ply --category sofa --held-out 1 --out data/my_sofas

  <out>/ShapeNetRendering/<synset>/<id>/rendering/         00.png ... (137 x 137 RGBA), rendering_metadata.txt
                                                           (azimuth, elevation, 0, ratio, 25), renderings.txt
  <out>/ShapeNetVox32/<synset>/<id>/model.binvox           32^3 voxels
  <out>/ShapeNet_pointclouds/<synset>/<id>/                pointcloud_1024.npy, pointcloud_2048.npy
  <out>/splits/train_models.json, val_models.json          3D-LMNet's split
  <out>/ShapeNet.json                                      CISP's split
  <out>/models.png                                         some of the models: look whether "front" shows their front

All that reads ShapeNet reads it, with data_root=<out>. Meshes are centred and scaled to a diagonal of 1. Given again,
the command makes what is new or changed (and goes on where it was interrupted).
Exit status: 0; 1 where nothing could be done; 3 where some meshes could not be used, which are listed.
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option('meshes', nargs='+', type=Path, metavar='MESH', help='.obj, .off, .ply or .stl files, or folders of them')
    option('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    option('--category', metavar='NAME', help='of meshes in no folder called like a category: chair, airplane, ..., or '
           'a synset id')  # fmt: skip
    option('--up', default='+y', metavar='AXIS', help='where their top is: +x, -x, +y, -y, +z or -z (write --up=-y '
           "with '='; default: %(default)s)")  # fmt: skip
    option('--front', default='+x', metavar='AXIS', help='where their front is (default: %(default)s)')
    option('--views', type=int, default=24, help='pictures of each model (default: %(default)s)')
    option('--held-out', type=float, default=0.2, metavar='SHARE', help='of each category, not trained on; 0 to 1 '
           '(default: %(default)s)')  # fmt: skip
    option('--seed', type=int, default=0, help='of viewpoints, points and splits (default: %(default)s)')
    option('--shown', type=int, default=8, metavar='N', help='models on models.png (default: %(default)s)')
    option('--workers', type=int, default=os.cpu_count(), help='processes (default: all cores)')
    return parser.parse_args()


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.mesh_to_shapenet import mesh_to_shapenet

    try:
        models, faults, sheet = mesh_to_shapenet(
            args.meshes, args.out, args.shown, category=args.category, up=args.up, front=args.front, views=args.views,
            held_out=args.held_out, seed=args.seed, workers=args.workers,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for reason in faults.values():
        print(f'error: {reason}', file=sys.stderr)
    print(f'{args.out}: {len(models)} models, {args.views} views of each model')
    if sheet is not None:
        print(sheet)
    return 0 if not faults else 3 if models else 1


if __name__ == '__main__':
    sys.exit(main())
