"""Options and run of ``create_data.py nuscenes``."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  # the full dataset on eight processes
  python tools/create_data.py nuscenes --root-path data/nuscenes --out-dir data/nuscenes --workers 8
  # the official mini version, for segmentation only
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-mini --max-sweeps 0
  # the test split, which has no labels
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-test
"""


def add(datasets: argparse._SubParsersAction) -> None:
    """The subcommand and its options."""
    parser = datasets.add_parser(
        'nuscenes', help='nuScenes with lidarseg labels', epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
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
