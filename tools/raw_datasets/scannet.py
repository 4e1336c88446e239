"""Options and run of ``create_data.py scannet``."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
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


def add(datasets: argparse._SubParsersAction) -> None:
    """The subcommand and its options."""
    parser = datasets.add_parser(
        'scannet', help='ScanNet v2: RGB-D sequences and labelled meshes', epilog=EXAMPLES,
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
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
