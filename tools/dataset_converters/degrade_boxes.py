#!/usr/bin/env python
"""Write an info file whose 2D boxes are worse than annotated, in four levels or by single kinds of error."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

EXAMPLES = """examples:
  # boxes of a poor detector; levels 0 (exact) to 3 are in mmfusion_plugin/converters/boxes_2d_degrade.py
  python tools/dataset_converters/degrade_boxes.py data/nuscenes/nuscenes_infos_train.json --level 3 \\
      --out data/nuscenes/nuscenes_infos_train_boxes3.json
  # one kind of error alone: a third of the boxes is missing
  python tools/dataset_converters/degrade_boxes.py INFOS --level 0 --miss 0.33 --out NEW_INFOS
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('infos', type=Path, metavar='INFOS', help='info file with annotated 2D boxes')
    parser.add_argument('--level', type=int, choices=range(4), required=True, help='0: exact, 3: worst')
    parser.add_argument('--out', type=Path, required=True, help='info file to write')
    parser.add_argument('--seed', type=int, default=0, help='of all errors (default: %(default)s)')
    changes = parser.add_argument_group('instead of what the level says')
    changes.add_argument('--jitter', type=float, help="deviation of a side as a share of the box's size")
    changes.add_argument('--miss', type=float, help='share of missing boxes')
    changes.add_argument('--false-positives', type=float, help='boxes without an object per image')
    changes.add_argument('--wrong-class', type=float, help='share of boxes with a wrong category')
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    from mmfusion_plugin.converters.boxes_2d_degrade import LEVELS, degrade_infos

    level = LEVELS[args.level]
    given = {field.name: getattr(args, field.name) for field in fields(level)}
    try:
        degradation = replace(level, **{name: value for name, value in given.items() if value is not None})
        quality = degrade_infos(args.infos, args.out, degradation, args.seed)
    except (OSError, ValueError) as error:
        sys.exit(f'degrade_boxes: {error}')
    print(f'level {args.level}: {degradation}\n{args.out}: {quality}')


if __name__ == '__main__':
    main()
