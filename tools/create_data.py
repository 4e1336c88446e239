#!/usr/bin/env python
"""Convert or check a raw dataset, so that datasets can read it. Run with its name and --help for the options."""

from __future__ import annotations

import argparse
import sys

from raw_datasets import nuscenes, pix3d, scannet, shapenet

EXAMPLES = """examples:
  python tools/create_data.py nuscenes --root-path data/nuscenes --out-dir data/nuscenes --workers 8
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-mini
  python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_small --image-size 160 120 \\
      --workers 8
  python tools/create_data.py shapenet --root-path data/shapenet --mesh-dir data/ShapeNetCore.v1 --workers 8
  python tools/create_data.py pix3d --root-path data/pix3d --sample --workers 8
"""


def main() -> int:
    """Entry point; a fault in the data ends in one line of explanation and exit status 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    datasets = parser.add_subparsers(dest='dataset', required=True)
    for dataset in (nuscenes, scannet, shapenet, pix3d):
        dataset.add(datasets)
    args = parser.parse_args()
    try:
        args.run(args)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
