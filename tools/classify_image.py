#!/usr/bin/env python
"""Classify photographs with a trained SIM-Net (or one of its branches alone), and show what it saw."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  python tools/classify_image.py sheet.jpg --mask sheet_mask.png CONFIG CHECKPOINT --out work_dirs/sheet
  # a folder, masks of tools/make_masks.py
  python tools/classify_image.py sheets --mask sheets_masks CONFIG CHECKPOINT --out work_dirs/sheets
  # a model that takes z from depth maps, sheets/a.jpg having depths/a.npy (or .png, .tif, .tiff, .exr)
  python tools/classify_image.py sheets --mask sheets_masks --depth depths CONFIG CHECKPOINT --out work_dirs/sheets
  # masks made on the way
  python tools/classify_image.py a.jpg b.jpg CONFIG CHECKPOINT --unet UNET_CONFIG UNET_CHECKPOINT --out work_dirs/two

Each photograph gets NAME_classes.png (photograph, mask, the inferred cloud from the front and at an angle, bars of
probabilities), NAME.ply (the cloud) and NAME_mask.png; results.csv and results.json list all classes. Without --mask
and --unet the alpha channel is the mask, where it differs; a model that looks at whole images alone needs none.
tools/image_to_cloud.py draws clouds without a model. Of each photograph the same points are taken whatever its place
among others; tools/test.py draws them by that place, so that its probabilities can differ slightly.
Exit status: 0; 1 where nothing could be done; 3 where some photographs could not be classified, which are listed.
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', nargs='+', type=Path, metavar='IMAGE', help='photographs, or folders of them')
    parser.add_argument('config', help='config file of a SIMNet')
    parser.add_argument('checkpoint', help='weights, of tools/train.py')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--mask', type=Path, metavar='PATH', help='mask of the photograph, or folder of masks')
    parser.add_argument('--mask-suffix', default='.png', metavar='SUFFIX',
                        help='what masks in a folder are called instead of the extension (default: %(default)s)')
    parser.add_argument('--depth', type=Path, metavar='PATH',
                        help='depth map of the photograph, or folder of them, where the config reads such')
    parser.add_argument('--unet', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='U-Net that makes the masks')
    parser.add_argument('--threshold', type=float, default=0.5, help="of the U-Net's masks (default: %(default)s)")
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_intermixed_args()  # options may stand between IMAGE and CONFIG


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.classify_image import classify_images
    from mmfusion_plugin.apis.depth_sources import DepthSource
    from mmfusion_plugin.apis.image_class_inferencer import ImageClassInferencer
    from mmfusion_plugin.apis.mask_inferencer import MaskInferencer
    from mmfusion_plugin.apis.mask_sources import MaskSource

    try:
        inferencer = ImageClassInferencer(args.config, args.checkpoint, args.device)
        network = MaskInferencer(*args.unet, args.device, args.threshold) if args.unet else None
        masks = MaskSource(args.mask, args.mask_suffix, network)
        depths = DepthSource(args.depth)
        results = classify_images(inferencer, args.images, masks, args.out, args.checkpoint, depths)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for entry in results['broken']:
        print(f'error: {entry["reason"]}', file=sys.stderr)
    print(f'{len(results["images"])} of {len(results["images"]) + len(results["broken"])} photographs classified: '
          f'{args.out}/results.csv')
    return 0 if not results['broken'] else 3 if results['images'] else 1


if __name__ == '__main__':
    sys.exit(main())
