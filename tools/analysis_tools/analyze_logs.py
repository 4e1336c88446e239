#!/usr/bin/env python
"""Curves and times from the logs of training runs."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from mmfusion_plugin.visualization import read_log, training_curve

EXAMPLES = """examples:
  python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/demo --out work_dirs/demo/curve.png
  python tools/analysis_tools/analyze_logs.py plot_curve RUN_A RUN_B --keys loss miou --legend A B --out compare.png
  python tools/analysis_tools/analyze_logs.py cal_train_time work_dirs/demo
"""


def parse_args() -> argparse.Namespace:
    """Command line: mmdet3d's sub-commands, with those of its flags that apply to one look and to PNG files."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw losses and validation metrics as PNG')
    plot.add_argument('--keys', nargs='+', help='logged names (default: losses and miou)')
    plot.add_argument('--legend', nargs='+', help='name of each log')
    plot.add_argument('--title', default='', help='heading')
    plot.add_argument('--out', required=True, help='PNG to write')
    timing = tasks.add_parser('cal_train_time', help='seconds per iteration')
    timing.add_argument('--include-outliers', action='store_true', help='count the first logged value too')
    for task in (plot, timing):
        task.add_argument('json_logs', nargs='+', help='work folders, or their vis_data/scalars.json')
    return parser.parse_args()


def iteration_times(source: str) -> np.ndarray:
    """Seconds per iteration, as logged.

    Raises:
        ValueError: The log has none.
    """
    train = read_log(source).train
    if 'time' not in train:
        raise ValueError(f"{source} has no 'time' (IterTimerHook logs it); it has {', '.join(train) or 'no training'}")
    return train['time'][1]


def main() -> None:
    """Run the sub-command."""
    args = parse_args()
    try:
        if args.task == 'plot_curve':
            print(training_curve(args.out, args.json_logs, args.keys, args.legend, args.title))
            return
        for source in args.json_logs:
            times = iteration_times(source)
            times = times if args.include_outliers or len(times) == 1 else times[1:]
            spread = f'slowest {times.max():.4f} s, fastest {times.min():.4f} s'
            print(f'{source}: {times.mean():.4f} s per iteration, {spread}')
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
