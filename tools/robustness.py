#!/usr/bin/env python
"""Compare how much models lose when views are few, missing, black, swapped, misaligned or full of holes.

Each model is tested on the test data of its config, intact and under each condition. DIR gets robustness.md (tables),
robustness.png (the curves of SAFNet's Fig. 5, and a panel for each damage) and robustness.json (every result, with the
IoU of each class). A stopped run goes on where it was; models without images are tested once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmfusion_plugin.apis.robustness import Model, compare_robustness
from mmfusion_plugin.apis.robustness_conditions import DEGREES_PER_METRE, VALUES
from mmfusion_plugin.engine.launch import add_config_options

EXAMPLES = """examples:
  python tools/robustness.py CONFIG CHECKPOINT --out work_dirs/robustness
  python tools/robustness.py --model PointNet++ CONFIG CHECKPOINT --model MVPNet CONFIG CHECKPOINT \\
      --model SAFNet CONFIG CHECKPOINT --out work_dirs/robustness --views 1 3 5 10 0
  python tools/robustness.py --model SAFNet CONFIG SEED0.pth --model SAFNet CONFIG SEED1.pth --out OUT   # mean, spread
  python tools/robustness.py --model SAFNet CONFIG CHECKPOINT --out OUT --views --pose-noise 0.05 --drop --swap \\
      --black --depth-holes      # a flag without values leaves its condition out
"""
HELP = {
    'views': 'views for each chunk',
    'pose_noise': 'standard deviations of the position of each camera along each axis, in metres; its rotation about '
                  f'each axis gets {DEGREES_PER_METRE:g} degrees a metre',
    'depth_holes': 'shares of the measured pixels of each view without depth, in blobs',
    'drop': 'shares of views without image and depth',
    'swap': 'shares of views with the image of another view',
    'black': 'shares of views with a black image',
}  # fmt: skip


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', metavar='CONFIG', help='of a single model')
    parser.add_argument('checkpoint', nargs='?', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('--model', dest='models', nargs=3, action='append', default=[],
                        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
                        help='for a comparison: a model and its name; several of one name are averaged')  # fmt: skip
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    for kind, values in VALUES.items():
        number = int if kind == 'views' else float
        parser.add_argument(f'--{kind.replace("_", "-")}', nargs='*', type=number, default=list(values), metavar='X',
                            help=f'{HELP[kind]} (default: {" ".join(map(str, values))})')  # fmt: skip
    add_config_options(parser, '--cfg-options')
    args = parser.parse_args()
    if args.config and not args.checkpoint or not (args.config or args.models):
        parser.error('name a model: CONFIG CHECKPOINT, or --model NAME CONFIG CHECKPOINT once or more')
    if args.config:
        args.models.insert(0, [Path(args.config).stem, args.config, args.checkpoint])
    return args


def main() -> int:
    """Entry point; a fault in files or values ends in one line of explanation and exit status 1."""
    args = parse_args()
    values = {kind: getattr(args, kind) for kind in VALUES}
    try:
        compare_robustness([Model(*model) for model in args.models], values, args.out, args.cfg_options)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print((args.out / 'robustness.md').read_text(encoding='utf-8'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
