#!/usr/bin/env python
"""Generate a dataset in the raw format of a public one; one subcommand per dataset."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from synthetic_worlds import herbarium, shapenet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

EXAMPLES = """examples:
  python tools/make_synthetic.py nuscenes --out data/nuscenes --scenes 10 --keyframes 20 --seed 0
  python tools/make_synthetic.py nuscenes --out data/nuscenes_mini --version v1.0-mini --scenes 4 --keyframes 5
  python tools/make_synthetic.py nuscenes --out data/nuscenes --version v1.0-test --scenes 2 --keyframes 10
  # with instance masks in COCO's format; also adds them to a world made by the same command without --masks
  python tools/make_synthetic.py nuscenes --out data/nuscenes --scenes 10 --keyframes 20 --seed 0 --masks
  python tools/make_synthetic.py scannet --out data/scannet --scenes 10 --frames 30 --seed 0
  # the same rooms with few views, poses that are 10 cm off at the end of the walk, and small pictures
  python tools/make_synthetic.py scannet --out data/scannet_few --scenes 10 --frames 8 --misalign 0.1 \\
      --color-size 640 480
  python tools/make_synthetic.py herbarium --out data/herbarium --sheets 1000 --seed 0
  python tools/make_synthetic.py shapenet --out data/shapenet --models 100 --seed 0

An interrupted run goes on where it stopped when the same command is given again.
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    datasets = parser.add_subparsers(dest='dataset', required=True, metavar='DATASET')
    nuscenes = datasets.add_parser(
        'nuscenes',
        help='street scenes with LiDAR, six cameras and lidarseg labels',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    nuscenes.add_argument('--out', required=True, help='folder to write')
    nuscenes.add_argument('--scenes', type=int, default=10, help='number of scenes (default: %(default)s)')
    nuscenes.add_argument('--keyframes', type=int, default=20, help='samples per scene (default: %(default)s)')
    nuscenes.add_argument('--seed', type=int, default=0, help='of the whole world (default: %(default)s)')
    nuscenes.add_argument(
        '--version', default='v1.0-trainval', choices=('v1.0-trainval', 'v1.0-mini', 'v1.0-test'), help='of nuScenes'
    )
    nuscenes.add_argument('--val-scenes', type=int, help='validation scenes among them (default: a fifth)')
    nuscenes.add_argument('--sweeps', type=int, default=1, help='LiDAR sweeps between keyframes (default: %(default)s)')
    nuscenes.add_argument('--workers', type=int, default=os.cpu_count(), help='processes (default: all cores)')
    nuscenes.add_argument('--masks', action='store_true', help='write <version>/instance_masks.json (COCO) as well')
    _add_scannet(datasets)
    herbarium.add(datasets)
    shapenet.add(datasets)
    return parser.parse_args()


def _add_scannet(datasets: argparse._SubParsersAction) -> None:
    scannet = datasets.add_parser(
        'scannet',
        help='furnished rooms as RGB-D sequences (.sens) with labelled meshes',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = scannet.add_argument
    add('--out', required=True, help='folder to write')
    add('--scenes', type=int, default=10, help='training and validation scenes (default: %(default)s)')
    add('--frames', type=int, default=30, help='of each scan: the view density (default: %(default)s)')
    add('--seed', type=int, default=0, help='of the whole world (default: %(default)s)')
    add('--val-scenes', type=int, help='validation scenes among them (default: a fifth)')
    add('--test-scenes', type=int, default=1, help='scenes of the test split, on top (default: %(default)s)')
    add('--pose-noise', type=float, default=0.01, metavar='M', help='error of each pose (default: %(default)s)')
    add('--misalign', type=float, default=0.03, metavar='M', help='drift at the end of a walk (default: %(default)s)')
    add('--lost', type=float, default=0.03, help='share of frames without a pose (default: %(default)s)')
    add('--depth-noise', type=float, default=1.0, help='factor on the noise of depth (default: %(default)s)')
    size = {'type': int, 'nargs': 2, 'metavar': ('W', 'H')}
    add('--color-size', default=(1296, 968), help='of colour and label images (default: 1296 968)', **size)
    add('--depth-size', default=(640, 480), help='of depth images (default: 640 480)', **size)
    add('--mesh-edge', type=float, default=0.05, metavar='M', help='longest edge of meshes (default: %(default)s)')
    add('--workers', type=int, default=os.cpu_count(), help='processes (default: all cores)')


def main() -> None:
    """Runs the chosen generator."""
    args = parse_args()
    try:
        runs = {'nuscenes': _nuscenes, 'scannet': _scannet, 'herbarium': herbarium.run, 'shapenet': shapenet.run}
        print(runs[args.dataset](args))
    except (ValueError, FileExistsError, RuntimeError) as error:
        sys.exit(f'make_synthetic: {error}')


def _nuscenes(args: argparse.Namespace) -> str:
    from mmfusion_plugin.synthetic.nuscenes import make_nuscenes

    root = make_nuscenes(
        args.out, args.scenes, args.keyframes, args.seed, args.version, args.workers, args.val_scenes, args.sweeps,
        masks=args.masks,
    )
    return f'{root}: {args.version}, {args.scenes} scenes of {args.keyframes} samples'


def _scannet(args: argparse.Namespace) -> str:
    from mmfusion_plugin.synthetic.scannet import make_scannet
    from mmfusion_plugin.synthetic.scannet_walk import Tracking

    tracking = Tracking(args.pose_noise, args.misalign, args.lost)
    root = make_scannet(
        args.out, args.scenes, args.frames, args.seed, args.workers, args.val_scenes, args.test_scenes, tracking,
        args.depth_noise, tuple(args.color_size), tuple(args.depth_size), args.mesh_edge,
    )
    return f'{root}: {args.scenes} scans and {args.test_scenes} of the test split, {args.frames} frames each'


if __name__ == '__main__':
    main()
