#!/usr/bin/env python
"""Score a checkpoint with the test split and evaluator of a config; alone, or started by ``dist_test.sh``."""

from __future__ import annotations

import argparse

import mmfusion_plugin  # noqa: F401  (registers the components that configs name)
from mmfusion_plugin.engine.launch import (
    VISUALIZATION_TASKS,
    add_common_arguments,
    apply_test_arguments,
    build_runner,
    load_config,
)

EXAMPLES = """examples:
  python tools/test.py CONFIG CHECKPOINT
  python tools/test.py CONFIG CHECKPOINT --tta --num-votes 12
  python tools/test.py CONFIG CHECKPOINT --cfg-options test_evaluator.submission_prefix=work_dirs/submission
  python tools/test.py CONFIG CHECKPOINT --task lidar_seg --show-dir work_dirs/pictures
  bash tools/dist_test.sh CONFIG CHECKPOINT 4           # four GPUs, or four processes on a CPU
"""


def parse_args() -> argparse.Namespace:
    """Read the command line; flags as in mmdet3d, and ``--num-votes``."""
    parser = argparse.ArgumentParser(
        description='Test a model', epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--show', action='store_true', help='show predictions in a window (not for segmentation)')
    parser.add_argument('--show-dir', help='write pictures of predictions to this folder')
    parser.add_argument('--score-thr', type=float, default=0.1, help='draw boxes with at least this score')
    parser.add_argument('--task', choices=VISUALIZATION_TASKS, help='what the pictures show')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds that a window stays')
    parser.add_argument('--tta', action='store_true', help='merge predictions over augmented copies of each sample')
    parser.add_argument('--num-votes', type=int, metavar='N', help='how many copies to merge; implies --tta')
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    cfg = load_config(args)
    apply_test_arguments(cfg, args)
    build_runner(cfg).test()


if __name__ == '__main__':
    main()
