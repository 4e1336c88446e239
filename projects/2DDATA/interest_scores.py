#!/usr/bin/env python
"""mIoU, and its parts over the classes of interest and the others, of a training, a test or a submission."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from study_plan import GROUPS, INTEREST, OTHERS

from mmfusion_plugin.apis.study import class_means
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES
from mmfusion_plugin.evaluation.submission_check import check_submission, evaluate_submission, open_nuscenes

EXAMPLES = f"""examples:
  python projects/2DDATA/interest_scores.py work_dirs/2ddata_4xb8-80e_nuscenes-lidarseg       # last validation or test
  python projects/2DDATA/interest_scores.py work_dirs/submission --dataroot data/nuscenes --eval-set val

interest: {', '.join(INTEREST)}
other:    {', '.join(OTHERS)}
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='work_dir of a training or a test, or a submission')
    parser.add_argument('--dataroot', help='nuScenes folder with the labels of a submission')
    parser.add_argument('--version', default='v1.0-trainval', help='nuScenes version (default: %(default)s)')
    parser.add_argument('--eval-set', default='val', help='official split (default: %(default)s)')
    return parser.parse_args()


def logged_iou(work_dir: Path) -> tuple[Path, dict[str, float]]:
    """IoU per class that ``LidarSegMetric`` has logged last below a folder, and the log.

    Raises:
        ValueError: There is none.
    """
    logs = [*work_dir.rglob('vis_data/scalars.json'), *(p for p in work_dir.rglob('*.json') if p.stem == p.parent.name)]
    for path in sorted(logs, key=os.path.getmtime, reverse=True):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        scored = [row for row in rows if all(f'iou_{name}' in row for name in CLASSES)]
        if scored:
            return path, {name: scored[-1][f'iou_{name}'] for name in CLASSES}
    raise ValueError(f'{work_dir} holds no log of a validation or a test; for a submission give --dataroot')


def main() -> None:
    """Run the command."""
    args = parse_args()
    try:
        if args.dataroot:
            target = (args.folder, args.dataroot, args.version, args.eval_set)
            nusc = open_nuscenes(args.dataroot, args.version)
            source = check_submission(*target, nusc=nusc)
            iou = dict(evaluate_submission(*target, nusc=nusc)['iou_per_class'])
        else:
            source, iou = logged_iou(args.folder)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'interest_scores: {error}')
    print(source)
    means = class_means(iou, {'miou': CLASSES, **GROUPS})
    for name, value in {**{name: iou[name] for name in CLASSES}, **means}.items():
        print(f'{name:<22}{"–" if value is None or value != value else f"{100 * value:.2f}":>6}')


if __name__ == '__main__':
    main()
