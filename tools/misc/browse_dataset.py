#!/usr/bin/env python
"""Draw a dataset after its pipeline: points from above and over the cameras' images, as PNG, with no display."""

from __future__ import annotations

import argparse

from mmfusion_plugin.apis.browse import browse_dataset
from mmfusion_plugin.engine.launch import add_config_options, read_config

EXAMPLES = """examples:
  python tools/misc/browse_dataset.py CONFIG --output-dir work_dirs/browse --number 5
  python tools/misc/browse_dataset.py CONFIG --output-dir work_dirs/browse --number 5 --aug
"""


def parse_args() -> argparse.Namespace:
    """Command line; mmdet3d's flags, of which those about windows, storage and the task change nothing."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--output-dir', required=True, help='folder for the pictures')
    parser.add_argument('--number', type=int, help='samples to draw, spread over the dataset (default: all)')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='default: %(default)s')
    parser.add_argument('--aug', action='store_true', help='draw the augmented samples that training sees')
    parser.add_argument('--not-show', action='store_true', help='accepted as in mmdet3d: no window is ever opened')
    parser.add_argument('--show-interval', type=float, help='accepted as in mmdet3d: no window, so no pause')
    parser.add_argument('--ceph', action='store_true', help='accepted as in mmdet3d: name the backend in the config')
    parser.add_argument('--task', help='accepted as in mmdet3d: the pictures are those of LiDAR segmentation')
    add_config_options(parser, '--cfg-options')
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    pictures = browse_dataset(cfg, args.output_dir, args.split, args.aug, args.number)
    print(f'{len(pictures)} pictures in {args.output_dir}')


if __name__ == '__main__':
    main()
