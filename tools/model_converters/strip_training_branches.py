#!/usr/bin/env python
"""Drop what a 2DPASS or 2DDATA checkpoint needs in training only: image network, fusion, object branch, optimiser."""

from __future__ import annotations

import argparse
import sys

from mmfusion_plugin.engine.strip_branches import strip_training_branches

EXAMPLES = """examples:
  python tools/model_converters/strip_training_branches.py work_dirs/2ddata/epoch_80.pth work_dirs/2ddata_lidar.pth

The result belongs to the config of the LiDAR network alone, and predicts what the whole model predicts:
  python tools/test.py configs/point_voxel/point-voxel_4xb8-80e_nuscenes-lidarseg.py work_dirs/2ddata_lidar.pth --tta
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', metavar='IN', help='checkpoint that tools/train.py has written')
    parser.add_argument('target', metavar='OUT', help='file to write; must not be IN')
    return parser.parse_args()


def main() -> None:
    """Print what was dropped; exit status 1 with an explanation if nothing could be."""
    args = parse_args()
    try:
        report = strip_training_branches(args.source, args.target)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'strip_training_branches: {error}')
    print(f'{args.target}:\n{report}')


if __name__ == '__main__':
    main()
