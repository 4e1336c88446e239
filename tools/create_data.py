#!/usr/bin/env python
"""Convert a raw dataset to the info files that datasets read. Run with a dataset's name and --help for its options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EPILOG = """examples:
  # the full dataset on eight processes
  python tools/create_data.py nuscenes --root-path data/nuscenes --out-dir data/nuscenes --workers 8
  # the official mini version, for segmentation only
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-mini --max-sweeps 0
  # the test split, which has no labels
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-test
"""

SCANNET_EPILOG = """examples:
  # all scans on eight processes; the lists from Tasks/Benchmark of ScanNet's repository lie in data/scannet
  python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_small --workers 8
  # every tenth frame of the scans that are there
  python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_small --frame-skip 10 \\
      --splits-dir ScanNet/Tasks/Benchmark --skip-missing-scans
  # a few scans of a list of your own, with filtered label images only
  python tools/create_data.py scannet --root-path data/scannet --out-dir data/scannet_few --train-list few.txt \\
      --label-images label-filt

Each scan <scan> is a folder in --root-path/scans, --root-path/scans_test or --root-path, with
  <scan>.sens                                colour, depth, poses
  <scan>_vh_clean_2.ply                      mesh
  <scan>.txt                                 axis alignment (may be missing)
and, in the train and val splits,
  <scan>_vh_clean_2.0.010000.segs.json, <scan>.aggregation.json, <scan>_2d-label.zip, <scan>_2d-label-filt.zip,
beside --root-path/scannetv2-labels.combined.tsv.

An interrupted run goes on where it stopped when the same command is given again.
"""


def add_nuscenes(subparsers: argparse._SubParsersAction) -> None:
    """Options of ``create_data.py nuscenes``."""
    parser = subparsers.add_parser(
        'nuscenes', help='nuScenes with lidarseg labels', epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--root-path', type=Path, required=True, help='folder with samples/, sweeps/, lidarseg/, v1.0-*/'
    )
    parser.add_argument('--version', default='v1.0-trainval', help='v1.0-trainval (default), v1.0-mini or v1.0-test')
    parser.add_argument('--out-dir', type=Path, help='where the info files go (default: --root-path)')
    parser.add_argument('--extra-tag', default='nuscenes', help='start of the file names (default: nuscenes)')
    parser.add_argument(
        '--max-sweeps', type=int, default=10, help='earlier LiDAR sweeps listed per sample (default: 10)'
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='number of processes; the output is the same for any number'
    )
    parser.add_argument('--no-labels', action='store_true', help='convert without lidarseg labels')
    parser.add_argument('--skip-missing-scenes', action='store_true', help='leave out scenes whose files are not there')
    parser.set_defaults(run=run_nuscenes)


def run_nuscenes(args: argparse.Namespace) -> None:
    """Convert nuScenes."""
    from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos

    create_nuscenes_infos(
        root=args.root_path,
        out_dir=args.out_dir or args.root_path,
        version=args.version,
        prefix=args.extra_tag,
        max_sweeps=args.max_sweeps,
        workers=args.workers,
        labels=not args.no_labels,
        skip_missing_scenes=args.skip_missing_scenes,
    )


def add_scannet(subparsers: argparse._SubParsersAction) -> None:
    """Options of ``create_data.py scannet``."""
    parser = subparsers.add_parser(
        'scannet', help='ScanNet v2: RGB-D sequences and labelled meshes', epilog=SCANNET_EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('--root-path', type=Path, required=True, help='folder with scans/, scans_test/')
    parser.add_argument('--out-dir', type=Path, required=True, help='where everything goes')
    parser.add_argument('--splits-dir', type=Path, help='folder of scannetv2_{train,val,test}.txt (default: found in\n'
                        '--root-path, its splits/, meta_data/ or Tasks/Benchmark/)')
    for split in ('train', 'val', 'test'):
        parser.add_argument(f'--{split}-list', type=Path, help=f'text file with {split} scans, instead of --splits-dir')
    parser.add_argument('--image-size', type=int, nargs=2, default=(160, 120), metavar=('WIDTH', 'HEIGHT'),
                        help='of the converted images (default: 160 120)')
    parser.add_argument('--frame-skip', type=int, default=1, metavar='N', help='keep every N-th frame (default: 1)')
    parser.add_argument('--label-images', nargs='*', default=('label', 'label-filt'), metavar='KIND',
                        help='2D labels to convert: label, label-filt (default: both)')
    parser.add_argument('--extra-tag', default='scannet', help='start of the file names (default: scannet)')
    parser.add_argument('--workers', type=int, default=1, help='number of processes; the output is the same for any')
    parser.add_argument('--drop-damaged-frames', action='store_true', help='drop and list frames that cannot be read')
    parser.add_argument('--skip-missing-scans', action='store_true', help='leave out scans whose files are not there')
    parser.set_defaults(run=run_scannet)


def run_scannet(args: argparse.Namespace) -> None:
    """Convert ScanNet."""
    from mmfusion_plugin.converters.scannet import create_scannet_infos
    from mmfusion_plugin.converters.scannet_frames import ScanOptions

    lists = {split: getattr(args, f'{split}_list') for split in ('train', 'val', 'test')}
    lists = {split: path for split, path in lists.items() if path is not None}
    if lists and args.splits_dir:
        raise ValueError('--splits-dir and --train-list, --val-list, --test-list exclude each other')
    create_scannet_infos(
        root=args.root_path,
        out_dir=args.out_dir,
        options=ScanOptions(
            tuple(args.image_size), args.frame_skip, tuple(args.label_images), args.drop_damaged_frames
        ),
        splits_dir=args.splits_dir,
        lists=lists or None,
        prefix=args.extra_tag,
        workers=args.workers,
        skip_missing_scans=args.skip_missing_scans,
    )


def main() -> int:
    """Entry point; a fault in the data ends in one line of explanation and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter)
    subparsers = parser.add_subparsers(dest='dataset', required=True)
    for add in (add_nuscenes, add_scannet):
        add(subparsers)
    args = parser.parse_args()
    try:
        args.run(args)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
