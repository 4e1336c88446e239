#!/usr/bin/env python
"""Fill the 2D boxes (and masks) of an info file from a COCO-style JSON: the output of any MMDetection model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

EXAMPLES = """examples:
  # a COCO dataset with annotations, such as the masks of a generated world
  python tools/dataset_converters/boxes_from_coco.py data/nuscenes/nuscenes_infos_train.json \\
      data/nuscenes/v1.0-trainval/instance_masks.json --out data/nuscenes/nuscenes_infos_train_masks.json
  # results of an MMDetection model over the images of images_to_coco.py; of a model with masks: boxes.segm.json
  python tools/dataset_converters/boxes_from_coco.py data/nuscenes/nuscenes_infos_train.json \\
      work_dirs/boxes.bbox.json --images data/nuscenes/images.json --score-thr 0.5 --out INFOS
  # names that are not in the table of mmfusion_plugin/converters/boxes_2d_categories.py
  python tools/dataset_converters/boxes_from_coco.py INFOS COCO_JSON --categories kid=human.pedestrian.child --out INFOS
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('infos', type=Path, metavar='INFOS', help='info file of tools/create_data.py')
    parser.add_argument('coco', type=Path, metavar='COCO_JSON', help='COCO dataset, or list of results')
    parser.add_argument('--out', type=Path, required=True, help='info file to write')
    parser.add_argument('--images', type=Path, help='COCO dataset with images and categories of a list of results')
    parser.add_argument('--score-thr', type=float, default=0.3, help='least score of a box (default: %(default)s)')
    parser.add_argument(
        '--categories', nargs='+', default=[], metavar='NAME=FINE', help='further names with their fine category'
    )
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    from mmfusion_plugin.converters.boxes_2d_coco import boxes_from_coco

    wrong = [pair for pair in args.categories if '=' not in pair]
    if wrong:
        sys.exit(f'boxes_from_coco: --categories {wrong[0]!r} is not of the form NAME=FINE')
    categories = dict(pair.split('=', 1) for pair in args.categories)
    try:
        summary = boxes_from_coco(args.infos, args.coco, args.out, args.images, args.score_thr, categories)
    except (OSError, ValueError) as error:
        sys.exit(f'boxes_from_coco: {error}')
    print(f'{args.out}: {summary}')


if __name__ == '__main__':
    main()
