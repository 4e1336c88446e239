#!/usr/bin/env python
"""Segment a scan of your own: colour and depth images, poses and a camera matrix in, labels and pictures out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  # Open3D's files; its living room has +y up
  python tools/segment_scan.py CONFIG CHECKPOINT --color room/color --depth room/depth --poses room/trajectory.log \\
      --intrinsics room/camera_primesense.json --up=+y --out work_dirs/room
  # poses as pose/N.txt, fx fy cx cy of the depth images, points of a mesh, SAFNet's similarities
  python tools/segment_scan.py CONFIG CHECKPOINT --color color --depth depth --poses pose \\
      --intrinsics 577.9 577.9 319.5 239.5 --mesh mesh.ply --name kitchen --out work_dirs/kitchen --similarity
  # every fifth frame of a long recording, depth in tenths of a millimetre
  python tools/segment_scan.py CONFIG CHECKPOINT --color color --depth depth --poses pose --intrinsics camera.txt \\
      --depth-shift 10000 --frame-skip 5 --out work_dirs/office

Depth images are registered to the colour images (same view; the size may differ) and hold 16 bits per pixel, 0 where
nothing was measured. Poses lead from the camera (x right, y down, z forward) to the world, in metres. Images and poses
belong together by the number in their name, or by their order where these differ. Frames whose pose is not finite are
dropped and listed.

The models know rooms with +z up: --up names the axis of the poses' world that points up (write --up=-y with '=').
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='config file whose test_dataloader reads ScanNetRGBDDataset')
    parser.add_argument('checkpoint', nargs='?', help='weights, of tools/train.py')
    parser.add_argument('--color', type=Path, required=True, metavar='DIR', help='colour images, JPEG or PNG')
    parser.add_argument('--depth', type=Path, required=True, metavar='DIR', help='depth images, PNG of 16 bits')
    parser.add_argument('--poses', type=Path, required=True, metavar='PATH',
                        help='trajectory.log, or a folder of N.txt with 4 x 4 values')
    parser.add_argument('--intrinsics', nargs='+', required=True, metavar='VALUE',
                        help="of the depth images: Open3D's JSON, a text file with 3 x 3 or 4 x 4 values, or the\n"
                             'numbers fx fy cx cy')
    parser.add_argument('--mesh', type=Path, metavar='PLY',
                        help="coloured mesh or cloud to label (default: the depth images' own points)")
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='where everything goes')
    parser.add_argument('--name', default='scan', help='of the scan, in file names (default: %(default)s)')
    parser.add_argument('--similarity', action='store_true', help="also draw SAFNet's similarities per point")
    parser.add_argument('--up', default='+z', metavar='AXIS', help='+x, -x, +y, -y, +z or -z (default: %(default)s)')
    parser.add_argument('--by-order', action='store_true', help='match files by order where their numbers differ')
    parser.add_argument('--depth-shift', type=float, default=1000.0, help='depth units a metre (default: %(default)g)')
    parser.add_argument('--max-depth', type=float, default=4.0,
                        help='metres beyond which pixels give no point (default: %(default)g)')
    parser.add_argument('--voxel', type=float, default=0.02, help='distance of points, metres (default: %(default)g)')
    parser.add_argument('--frame-skip', type=int, default=1, metavar='N', help='take every N-th frame')
    parser.add_argument('--image-size', type=int, nargs=2, default=(160, 120), metavar=('WIDTH', 'HEIGHT'),
                        help='that the model was trained on (default: 160 120)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_args()


def intrinsics_of(values: list[str]) -> Path | list[float]:
    """A file, or four numbers."""
    if len(values) == 1:
        return Path(values[0])
    try:
        return [float(value) for value in values]
    except ValueError as error:
        raise ValueError(f'--intrinsics: need one file or the four numbers fx fy cx cy, got {values}') from error


def main() -> int:
    """Entry point; a fault in the data ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.segment_scan import segment_scan
    from mmfusion_plugin.converters.rgbd_recording import open_recording
    from mmfusion_plugin.converters.scannet_frames import ScanOptions

    try:
        options = ScanOptions(tuple(args.image_size), args.frame_skip)
        recording = open_recording(
            args.color, args.depth, args.poses, intrinsics_of(args.intrinsics), args.depth_shift, args.up, args.by_order
        )
        segment_scan(
            args.config, args.checkpoint, recording, args.out, args.name, args.mesh, options, args.voxel,
            args.max_depth, args.similarity, args.device,
        )
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
