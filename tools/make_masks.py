#!/usr/bin/env python
"""Write masks for a folder of photographs with a trained U-Net: 8-bit PNG, 0 and 255, as large as the photograph."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

EXAMPLES = """examples:
  python tools/make_masks.py sheets CONFIG CHECKPOINT --out sheets_masks
  # masks beside the photographs, named as MaskedImageDataset(mask_root='images', mask_suffix='_mask.png') reads them
  python tools/make_masks.py data/images CONFIG CHECKPOINT --out data/images --mask-suffix _mask.png
  # less background at the edges, another checkpoint: all masks anew
  python tools/make_masks.py sheets CONFIG OTHER.pth --out sheets_masks --threshold 0.7 --overwrite

Folders below IMAGES are kept; photographs are turned as their EXIF orientation says, as when they are trained on. A
stopped run goes on where it was. make_masks_sheet.png in DIR shows some photographs with the outlines of their masks,
make_masks.json says how the masks were made and which photographs could not be read.
Exit status: 0; 1 where nothing could be done; 3 where some photographs could not be read, which are listed.
"""
MOST = 20  # broken photographs that are listed


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', type=Path, help='folder of photographs, or one photograph')
    parser.add_argument('config', type=Path, help='config file of a UNetSegmentor')
    parser.add_argument('checkpoint', help='weights, of tools/train.py')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of the masks')
    parser.add_argument('--threshold', type=float, default=0.5,
                        help='probability from which a pixel is foreground (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=4, metavar='N',
                        help='photographs at a time, of those that the network sees in one size (default: %(default)s)')
    parser.add_argument('--mask-suffix', default='.png', metavar='SUFFIX',
                        help="what a mask's name has instead of the extension (default: %(default)s)")
    parser.add_argument('--pictures', type=int, default=12, metavar='N',
                        help='photographs on the contact sheet; 0 makes none (default: %(default)s)')
    parser.add_argument('--overwrite', action='store_true', help='remove the masks that are there, and make all anew')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_args()


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.make_masks import MaskOptions, make_masks

    options = MaskOptions(args.threshold, args.batch_size, args.mask_suffix, args.overwrite, args.pictures)
    try:
        made = make_masks(args.images, args.config, args.checkpoint, args.out, options, args.device)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{len(made.shares)} masks written to {args.out}, {made.skipped} were there')
    if made.shares:
        print(f'foreground: {100 * np.median(list(made.shares.values())):.1f} % of the pixels (median)')
    empty = [name for name, share in made.shares.items() if not share]
    if empty:
        print(f'{len(empty)} masks have no foreground, the first being that of {empty[0]}')
    if made.sheet:
        print(f'  {made.sheet}')
    for _, reason in made.broken[:MOST]:
        print(f'error: {reason}', file=sys.stderr)
    if len(made.broken) > MOST:
        print(f'error: and {len(made.broken) - MOST} more, see {args.out}/make_masks.json', file=sys.stderr)
    return 0 if not made.broken else 3 if made.shares or made.skipped else 1


if __name__ == '__main__':
    sys.exit(main())
