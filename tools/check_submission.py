#!/usr/bin/env python
"""Check a leaderboard submission before uploading it; one subcommand per benchmark."""

from __future__ import annotations

import argparse
import sys

EXAMPLES = """examples:
  python tools/check_submission.py nuscenes work_dirs/demo/submission --dataroot data/nuscenes --eval-set val
  python tools/check_submission.py nuscenes SUBMISSION --dataroot data/nuscenes --version v1.0-test --eval-set test
  python tools/check_submission.py nuscenes SUBMISSION --dataroot data/nuscenes --eval-set val --score
  python tools/check_submission.py scannet work_dirs/safnet/submission.zip --data-root data/scannet_small
  python tools/check_submission.py scannet SUBMISSION --data-root data/scannet_small --split val --score
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    layout = dict(epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser = argparse.ArgumentParser(description=__doc__, **layout)
    benchmarks = parser.add_subparsers(dest='benchmark', required=True, metavar='BENCHMARK')
    nuscenes = benchmarks.add_parser('nuscenes', help='the nuScenes-lidarseg challenge, by its devkit', **layout)
    nuscenes.add_argument('folder', help='folder with <eval-set>/submission.json and lidarseg/<eval-set>/')
    nuscenes.add_argument('--dataroot', default='data/nuscenes', help='nuScenes folder (default: %(default)s)')
    nuscenes.add_argument('--version', default='v1.0-trainval', help='nuScenes version (default: %(default)s)')
    nuscenes.add_argument('--eval-set', default='val', help='official split (default: %(default)s)')
    nuscenes.add_argument('--score', action='store_true', help="also print the devkit's scores (needs labels)")
    nuscenes.set_defaults(run=check_nuscenes)
    scannet = benchmarks.add_parser('scannet', help="ScanNet's 3D semantic label benchmark", **layout)
    scannet.add_argument('target', help='folder with <scan>.txt, or the zip to upload')
    scannet.add_argument('--data-root', default='data/scannet', help='what create_data.py scannet wrote, or raw scans '
                         'with the lists of their splits (default: %(default)s)')
    scannet.add_argument('--split', default='test', choices=('train', 'val', 'test'), help='(default: %(default)s)')
    scannet.add_argument('--score', action='store_true', help='also print scores (needs converted scans with labels)')
    scannet.set_defaults(run=check_scannet)
    return parser.parse_args()


def check_nuscenes(args: argparse.Namespace) -> None:
    """Verdict and scores of a nuScenes-lidarseg submission."""
    from mmfusion_plugin.evaluation.submission_check import check_submission, evaluate_submission, open_nuscenes

    target = (args.folder, args.dataroot, args.version, args.eval_set)
    nusc = open_nuscenes(args.dataroot, args.version)
    print(check_submission(*target, nusc=nusc))
    if args.score:
        scores = evaluate_submission(*target, nusc=nusc)
        rows = dict(scores['iou_per_class'])
        print_scores({**rows, 'mIoU': scores['miou'], 'frequency-weighted': scores['freq_weighted_iou']})


def check_scannet(args: argparse.Namespace) -> None:
    """Verdict and scores of a ScanNet submission."""
    from mmfusion_plugin.converters.scannet_taxonomy import CLASSES
    from mmfusion_plugin.evaluation.scannet_submission_check import check_submission, evaluate_submission

    print(check_submission(args.target, args.data_root, args.split))
    if args.score:
        scores = evaluate_submission(args.target, args.data_root, args.split)
        print_scores({**dict(zip(CLASSES, scores.iou)), 'mIoU': scores.miou, 'accuracy': scores.acc})


def print_scores(scores: dict[str, float]) -> None:
    """A line for each, in per cent."""
    for name, value in scores.items():
        print(f'  {name:<22}{100 * value:7.2f}')


def main() -> None:
    """Print the verdict; exit status 1 if the submission is not valid."""
    args = parse_args()
    try:
        args.run(args)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
