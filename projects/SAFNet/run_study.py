#!/usr/bin/env python
"""Compare PointNet++, MVPNet, SAFNet and the rows of SAFNet's ablation over seeds in generated rooms.

Every run is a training by tools/train.py. The image network is trained first, once a seed; all variants of this seed
that have images begin with its weights. A finished run is added to projects/SAFNet/results/<size>.json and never
repeated, so the study can be stopped at any time and started again.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from study_plan import ROOT, SIZES, SYSTEMS, VARIANTS, plan_runs, world_commands
from study_robustness import damage_table, keep_rows, read_rows, robustness_command
from study_runs import ITERATIONS, open_results, score, tasks, timing_command
from study_table import picture, tables

from mmfusion_plugin.apis.study import (
    Results,
    add_study_options,
    publish,
    run_all,
    run_command,
    show,
    time_all,
)

PROJECT = Path(__file__).resolve().parent
EXAMPLES = """examples:
  python projects/SAFNet/run_study.py --size cpu                      # all variants x 3 seeds on two cores
  python projects/SAFNet/run_study.py --size cpu --variants mvpnet safnet --seeds 0 1 2 3 4
  python projects/SAFNet/run_study.py --size cpu-long --variants mvpnet gsm csm safnet --seeds 0  # four times as long
  python projects/SAFNet/run_study.py --size gpu --jobs 1             # published widths, a larger world
  python projects/SAFNet/run_study.py --size cpu --robustness         # then: few, missing, misaligned views
  python projects/SAFNet/run_study.py --size cpu --time               # seconds and memory, on an idle machine
  python projects/SAFNet/run_study.py --size cpu --table              # tables and pictures of what is finished
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    instead = add_study_options(parser, SIZES, VARIANTS, VARIANTS, 'work_dirs/study_safnet')
    instead.add_argument('--robustness', action='store_true',
                         help=f'test the checkpoints of {", ".join(SYSTEMS)} under damage')  # fmt: skip
    return parser.parse_args()


def draw(size: str, results: Results) -> None:
    """Print the tables, put them into the README, and draw the pictures beside the results."""
    parts = []
    if results.runs:
        drawn = picture(results.path.with_suffix('.png'), results.runs, f'Generated rooms, size {size}')
        parts += [tables(results.runs), f'![Means over classes and seeds](results/{drawn.name})']
    damaged = robustness_file(size)
    if damaged.is_file():
        curves = damaged.with_suffix('.png').name
        parts += [damage_table(read_rows(damaged)), f'![mIoU over the severity of each damage](results/{curves})']
    publish(PROJECT / 'README.md', size, results, parts)


def robustness_file(size: str) -> Path:
    """What the robustness test of a size has measured; its curves lie beside it."""
    return PROJECT / 'results' / f'{size}_robustness.json'


def run(command: list[str]) -> None:
    """Run a command with its output on the terminal."""
    print(show(command), flush=True)
    subprocess.run(command, check=True)


def study(args: argparse.Namespace) -> None:
    """Make the world, train or test, draw."""
    size = SIZES[args.size]
    results = open_results(PROJECT / 'results' / f'{args.size}.json', size)
    work_dir = args.work_dir or Path('work_dirs/study_safnet', args.size)
    if not args.table:
        for command in world_commands(size, args.workers):
            run(command)
        if args.time:
            time_all(SYSTEMS, lambda *where: timing_command(size, *where), results, work_dir, ITERATIONS)
        elif args.robustness:
            out = work_dir / 'robustness'
            run(robustness_command(size, args.seeds, work_dir, out))
            keep_rows(out, robustness_file(args.size))
        else:
            run_all(tasks(size, plan_runs(args.variants, args.seeds), work_dir), results, args.jobs, score)
    draw(args.size, results)


def main() -> None:
    """Run the command."""
    args = parse_args()
    run_command(lambda: study(args), ROOT)


if __name__ == '__main__':
    main()
