#!/usr/bin/env python
"""Turn masked photographs into point clouds as SIM-Net does, and look at them; no classifier is needed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  python tools/image_to_cloud.py plant.png --mask plant_mask.png --out work_dirs/clouds
  # a folder of photographs, masks beside them
  python tools/image_to_cloud.py plants --mask plants --mask-suffix _mask.png --out work_dirs/clouds
  # every foreground pixel; raw pixels as coordinates; no mask: all that is not black
  python tools/image_to_cloud.py sheet.jpg --foreground nonblack --points 0 --normalize none --out work_dirs/clouds
  # z from depth maps of any monocular estimator, sheets/a.jpg having depths/a.npy (or .png, .tif, .tiff, .exr)
  python tools/image_to_cloud.py sheets --mask masks --depth depths --out work_dirs/clouds
  # masks by a trained U-Net
  python tools/image_to_cloud.py sheets --unet CONFIG CHECKPOINT --out work_dirs/clouds

Each photograph gets NAME.ply (x to the right, y up, z; colours), NAME_cloud.png (photograph, mask, the cloud from
the front and at an angle) and NAME_mask.png. Without --mask and --unet the alpha channel is the mask, where it differs.
Exit status: 0; 1 where nothing could be done; 3 where some photographs could not.
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', nargs='+', type=Path, metavar='IMAGE', help='photographs, or folders of them')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--mask', type=Path, metavar='PATH', help='mask of the photograph, or folder of masks')
    parser.add_argument('--mask-suffix', default='.png', metavar='SUFFIX',
                        help='what masks in a folder are called instead of the extension (default: %(default)s)')
    parser.add_argument('--unet', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='U-Net that makes the masks')
    parser.add_argument('--threshold', type=float, default=0.5, help="of the U-Net's masks (default: %(default)s)")
    parser.add_argument('--points', type=int, default=1024, metavar='N',
                        help='points of a cloud; 0 takes each foreground pixel once (default: %(default)s)')
    parser.add_argument('--foreground', choices=('mask', 'nonblack'), default='mask',
                        help='pixels that become points (default: %(default)s)')
    parser.add_argument('--normalize', choices=('image', 'none', 'unit_sphere'), default='image',
                        help='frame: -1..1 over the image, raw pixels, or the unit sphere (default: %(default)s)')
    third = parser.add_mutually_exclusive_group()
    third.add_argument('--z-mode', choices=('mean_rgb', 'gray', 'zero'), default='mean_rgb',
                       help='what z is (default: %(default)s)')
    third.add_argument('--depth', type=Path, metavar='PATH',
                       help='depth map of the photograph, of its size, or folder of them: z is depth')
    parser.add_argument('--sampling', choices=('random', 'fps'), default='random',
                        help='at random, or farthest points (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice of points (default: %(default)s)')
    parser.add_argument('--device', help='for the U-Net: cpu, cuda, ... (default: CUDA where there is one)')
    return parser.parse_args()


def main() -> int:
    """Entry point; a fault in the data ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.depth_sources import DepthSource
    from mmfusion_plugin.apis.draw_clouds import draw_clouds
    from mmfusion_plugin.apis.mask_inferencer import MaskInferencer
    from mmfusion_plugin.apis.mask_sources import MaskSource

    try:
        network = MaskInferencer(*args.unet, args.device, args.threshold) if args.unet else None
        masks = MaskSource(args.mask, args.mask_suffix, network)
        files, broken = draw_clouds(
            args.images, masks, args.out, args.seed, DepthSource(args.depth), num_points=args.points or None,
            foreground=args.foreground, normalize=args.normalize, z_mode='depth' if args.depth else args.z_mode,
            sampling=args.sampling,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for path in files:
        print(path)
    for _, reason in broken:
        print(f'error: {reason}', file=sys.stderr)
    return 0 if not broken else 3 if files else 1


if __name__ == '__main__':
    sys.exit(main())
