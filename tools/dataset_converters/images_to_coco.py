#!/usr/bin/env python
"""List the images of an info file as a COCO dataset without annotations, for any MMDetection model to run over."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

EXAMPLES = """examples:
  # for a model trained on COCO; nuimages: for one of MMDetection3D's configs/nuimages
  python tools/dataset_converters/images_to_coco.py data/nuscenes/nuscenes_infos_train.json \\
      --classes coco --out data/nuscenes/images.json
  # for a model with classes of its own, in the order of its config
  python tools/dataset_converters/images_to_coco.py INFOS --classes car truck pedestrian --out images.json
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('infos', type=Path, metavar='INFOS', help='info file of tools/create_data.py')
    parser.add_argument('--out', type=Path, required=True, help='COCO dataset to write')
    parser.add_argument('--classes', nargs='+', required=True, metavar='NAME',
                        help="coco, nuimages, or the model's classes in its order")  # fmt: skip
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    from mmfusion_plugin.converters.images_to_coco import images_to_coco, named_classes

    try:
        classes = named_classes(args.classes)
        count = images_to_coco(args.infos, args.out, classes)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'images_to_coco: {error}')
    print(f'{args.out}: {count} images, {len(classes)} classes')


if __name__ == '__main__':
    main()
