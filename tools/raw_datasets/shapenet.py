"""Options and run of ``create_data.py shapenet``."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  # is everything there that the splits name?
  python tools/create_data.py shapenet --root-path data/shapenet --workers 8
  # sample the clouds that are missing from ShapeNetCore's meshes
  python tools/create_data.py shapenet --root-path data/shapenet --mesh-dir data/ShapeNetCore.v1 --workers 8
  # from the voxels, for CISP's categories
  python tools/create_data.py shapenet --root-path data/shapenet --from-voxels \\
      --categories aeroplane car chair table watercraft

--root-path holds
  ShapeNetRendering/<synset>/<id>/rendering/00.png ...     http://cvgl.stanford.edu/data2/ShapeNetRendering.tgz
  ShapeNetVox32/<synset>/<id>/model.binvox                 http://cvgl.stanford.edu/data2/ShapeNetVox32.tgz
  ShapeNet_pointclouds/<synset>/<id>/pointcloud_1024.npy   see the README of 3D-LMNet, or sampled here
  splits/train_models.json, val_models.json                3D-LMNet's split
  ShapeNet.json                                            CISP's split

Writes <root-path>/shapenet_manifest.json: what there is of each category and split, and which files are missing.
An interrupted run goes on where it stopped when the same command is given again.
"""


def add(datasets: argparse._SubParsersAction) -> None:
    """The subcommand and its options."""
    parser = datasets.add_parser(
        'shapenet', help='ShapeNet: renderings, voxels, point clouds', epilog=EXAMPLES,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    option = parser.add_argument
    option('--root-path', type=Path, required=True, help='folder with ShapeNetRendering/ and the splits')
    option('--categories', nargs='+', metavar='NAME', help='names, as chair or airplane, or synset ids (default: all)')
    option('--views', type=int, default=24, help='pictures that each model must have (default: %(default)s)')
    option('--num-points', type=int, nargs='+', default=(1024, 2048), metavar='N', help='sizes of the clouds\n'
           '(default: 1024 2048)')
    option('--mesh-dir', type=Path, help='ShapeNetCore v1 or v2, to sample missing clouds from')
    option('--from-voxels', action='store_true', help='sample missing clouds from voxels where there is no mesh')
    option('--normalize', choices=('diagonal', 'none'), default='diagonal', help='of sampled clouds: bounding box '
           'centred with\na diagonal of 1 (default), or as the mesh is')
    option('--seed', type=int, default=0, help='of the sampling (default: %(default)s)')
    option('--workers', type=int, default=1, help='number of processes; the output is the same for any')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Check ShapeNet and sample clouds."""
    from mmfusion_plugin.converters.cloud_jobs import CloudRecipe
    from mmfusion_plugin.converters.shapenet import create_shapenet

    create_shapenet(
        root=args.root_path,
        categories=args.categories,
        views=args.views,
        sizes=tuple(args.num_points),
        mesh_dir=args.mesh_dir,
        from_voxels=args.from_voxels,
        recipe=CloudRecipe(args.normalize, args.seed),
        workers=args.workers,
    )
