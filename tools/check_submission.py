#!/usr/bin/env python
"""Check a leaderboard submission before uploading it, with the official devkit."""

from __future__ import annotations

import argparse
import sys

from mmfusion_plugin.evaluation.submission_check import check_submission, evaluate_submission, open_nuscenes

EXAMPLES = """examples:
  python tools/check_submission.py nuscenes work_dirs/demo/submission --dataroot data/nuscenes --eval-set val
  python tools/check_submission.py nuscenes SUBMISSION --dataroot data/nuscenes --version v1.0-test --eval-set test
  python tools/check_submission.py nuscenes SUBMISSION --dataroot data/nuscenes --eval-set val --score
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('benchmark', choices=['nuscenes'], help='nuscenes: the nuScenes-lidarseg challenge')
    parser.add_argument('folder', help='folder with <eval-set>/submission.json and lidarseg/<eval-set>/')
    parser.add_argument('--dataroot', default='data/nuscenes', help='nuScenes folder (default: %(default)s)')
    parser.add_argument('--version', default='v1.0-trainval', help='nuScenes version (default: %(default)s)')
    parser.add_argument('--eval-set', default='val', help='official split (default: %(default)s)')
    parser.add_argument('--score', action='store_true', help="also print the devkit's scores (needs labels)")
    return parser.parse_args()


def main() -> None:
    """Print the verdict; exit status 1 if the submission is not valid."""
    args = parse_args()
    target = (args.folder, args.dataroot, args.version, args.eval_set)
    try:
        nusc = open_nuscenes(args.dataroot, args.version)
        print(check_submission(*target, nusc=nusc))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    if args.score:
        scores = evaluate_submission(*target, nusc=nusc)
        for name, iou in scores['iou_per_class'].items():
            print(f'  {name:<22}{100 * iou:7.2f}')
        print(f'  {"mIoU":<22}{100 * scores["miou"]:7.2f}')
        print(f'  {"frequency-weighted":<22}{100 * scores["freq_weighted_iou"]:7.2f}')


if __name__ == '__main__':
    main()
