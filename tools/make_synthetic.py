#!/usr/bin/env python
"""Generate a dataset in the raw format of a public one; one subcommand per dataset."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

EXAMPLES = """examples:
  python tools/make_synthetic.py nuscenes --out data/nuscenes --scenes 10 --keyframes 20 --seed 0
  python tools/make_synthetic.py nuscenes --out data/nuscenes_mini --version v1.0-mini --scenes 4 --keyframes 5
  python tools/make_synthetic.py nuscenes --out data/nuscenes --version v1.0-test --scenes 2 --keyframes 10
  # with instance masks in COCO's format; also adds them to a world made by the same command without --masks
  python tools/make_synthetic.py nuscenes --out data/nuscenes --scenes 10 --keyframes 20 --seed 0 --masks

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
    return parser.parse_args()


def main() -> None:
    """Runs the chosen generator."""
    args = parse_args()
    from mmfusion_plugin.synthetic.nuscenes import make_nuscenes

    try:
        root = make_nuscenes(
            args.out, args.scenes, args.keyframes, args.seed, args.version, args.workers, args.val_scenes, args.sweeps,
            masks=args.masks,
        )
    except (ValueError, FileExistsError, RuntimeError) as error:
        sys.exit(f'make_synthetic: {error}')
    print(f'{root}: {args.version}, {args.scenes} scenes of {args.keyframes} samples')


if __name__ == '__main__':
    main()
