#!/usr/bin/env python
"""Compare LiDAR-only, 2DPASS and 2DDATA, with boxes of four qualities, over seeds on a generated world.

Every run is a training by tools/train.py. A finished one is added to projects/2DDATA/results/<size>.json and never
repeated, so the study can be stopped at any time and started again.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from study_boxes import prepare_boxes
from study_plan import SIZES, VARIANTS, plan, world_commands
from study_runs import Results, level_of, run_all, show
from study_table import picture, table, write_into

PROJECT = Path(__file__).resolve().parent
ROOT = PROJECT.parents[1]
EXAMPLES = """examples:
  python projects/2DDATA/run_study.py --size cpu                      # 7 variants x 3 seeds on two cores
  python projects/2DDATA/run_study.py --size cpu --variants 2dpass 2ddata --seeds 0 1 2 3 4
  python projects/2DDATA/run_study.py --size gpu --jobs 1             # published widths, a larger world
  python projects/2DDATA/run_study.py --size cpu --table              # table and picture of what is finished
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--size', choices=SIZES, default='cpu', help='how much of everything (default: %(default)s)')
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS), metavar='NAME',
                        help=f'default: all, {", ".join(VARIANTS)}')  # fmt: skip
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='N', help='default: 0 1 2')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at once (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='processes that make the world')
    parser.add_argument('--work-dir', type=Path, help='logs and checkpoints (default: work_dirs/study/<size>)')
    parser.add_argument('--table', action='store_true', help='train nothing: draw what is finished')
    return parser.parse_args()


def draw(size: str, results: Results) -> None:
    """Print the table, put it into the README, and draw the picture beside the results."""
    if not results.runs:
        raise ValueError(f'{results.path} holds no finished run: leave --table out')
    text = table(results.runs)
    print(text)
    drawn = picture(results.path.with_suffix('.png'), results.runs, f'Generated streets, size {size}')
    write_into(PROJECT / 'README.md', size, f'{text}\n\n![Means over classes and seeds](results/{drawn.name})')


def study(args: argparse.Namespace) -> None:
    """Make the world and the degraded boxes, train, draw."""
    size = SIZES[args.size]
    results = Results(PROJECT / 'results' / f'{args.size}.json', size.settings())
    if not args.table:
        runs = plan(args.variants, args.seeds)
        for command in world_commands(size, args.workers):
            print(show(command), flush=True)
            subprocess.run(command, check=True)
        levels = sorted({level_of(run) for run in runs} - {None})
        boxes = {level: prepare_boxes(size, level) for level in levels}
        run_all(size, runs, results, args.work_dir or Path('work_dirs/study', args.size), args.jobs, boxes)
    draw(args.size, results)


def main() -> None:
    """Run the command from the project's folder, where its tools and configs are."""
    args = parse_args()
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('run_study: stopped; the same command goes on'))
    try:
        study(args)
    except (OSError, ValueError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f'run_study: {error}')


if __name__ == '__main__':
    main()
