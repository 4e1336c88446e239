"""Options and run of ``create_data.py pix3d``."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  # is everything there that pix3d.json names?
  python tools/create_data.py pix3d --root-path data/pix3d
  # sample the clouds that are missing from Pix3D's meshes
  python tools/create_data.py pix3d --root-path data/pix3d --sample --workers 8

--root-path holds pix3d.json, img/, mask/ and model/ (http://pix3d.csail.mit.edu) and
  pointclouds/model/chair/<name>/pcl_1024.npy              see the README of 3D-LMNet, or sampled here

Writes <root-path>/pix3d_manifest.json: what there is of each category, and which files are missing.
An interrupted run goes on where it stopped when the same command is given again.
"""


def add(datasets: argparse._SubParsersAction) -> None:
    """The subcommand and its options."""
    parser = datasets.add_parser(
        'pix3d', help='Pix3D: photographs with masks and models', epilog=EXAMPLES,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    option = parser.add_argument
    option('--root-path', type=Path, required=True, help='folder with pix3d.json')
    option('--categories', nargs='+', default=('chair', 'sofa', 'table'), metavar='NAME', help="Pix3D's names\n"
           '(default: chair sofa table)')
    option('--num-points', type=int, nargs='+', default=(1024,), metavar='N', help='sizes of clouds (default: 1024)')
    option('--cloud-dir', type=Path, help='folder of the clouds (default: pointclouds in --root-path)')
    option('--sample', action='store_true', help='sample missing clouds from the meshes, or from voxels')
    option('--normalize', choices=('diagonal', 'none'), default='diagonal', help='of sampled clouds: bounding box '
           'centred with\na diagonal of 1 (default), or as the mesh is')
    option('--seed', type=int, default=0, help='of the sampling (default: %(default)s)')
    option('--workers', type=int, default=1, help='number of processes; the output is the same for any')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Check Pix3D and sample clouds."""
    from mmfusion_plugin.converters.cloud_jobs import CloudRecipe
    from mmfusion_plugin.converters.pix3d import create_pix3d

    create_pix3d(
        root=args.root_path,
        categories=tuple(args.categories),
        sizes=tuple(args.num_points),
        cloud_dir=args.cloud_dir,
        sample=args.sample,
        recipe=CloudRecipe(args.normalize, args.seed),
        workers=args.workers,
    )
