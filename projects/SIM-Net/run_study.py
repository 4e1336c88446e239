#!/usr/bin/env python
"""Compare ResNet, PointNet, SIM-Net and the paper's ablations over seeds on generated herbarium sheets.

Every run is a training by tools/train.py. A finished run is added to projects/SIM-Net/results/<size>.json and never
repeated, so the study can be stopped at any time and started again.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from study_commands import plan_runs, world_command
from study_pictures import bars, few_shot_curve
from study_plan import ROOT, SIZES, VARIANTS
from study_runs import ITERATIONS, TIMED, open_results, score, summary, tasks, timing_command
from study_table import tables

from mmfusion_plugin.apis.study import (
    Results,
    add_study_options,
    publish,
    run_all,
    run_command,
    show,
    time_all,
)
from mmfusion_plugin.synthetic.herbarium import split_sizes

PROJECT = Path(__file__).resolve().parent
EXAMPLES = """examples:
  python projects/SIM-Net/run_study.py --size cpu                      # all variants x 3 seeds on two cores
  python projects/SIM-Net/run_study.py --size cpu --variants image-lobed simnet-lobed --seeds 0 1 2 3 4
  python projects/SIM-Net/run_study.py --size cpu-outlines --variants image-lobed pointnet-lobed pointnet2-lobed
  python projects/SIM-Net/run_study.py --size gpu --jobs 1             # ResNet-101, more and larger sheets
  python projects/SIM-Net/run_study.py --size cpu --time               # seconds and memory, on an idle machine
  python projects/SIM-Net/run_study.py --size cpu --table              # tables and picture of what is finished
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study_options(parser, SIZES, VARIANTS, tuple(VARIANTS), 'work_dirs/study_simnet')
    return parser.parse_args()


def draw(size: str, results: Results) -> None:
    """Print the tables, put them into the README, and draw the picture beside the results."""
    parts = []
    if results.runs:
        title = f'Generated sheets, size {size}'
        drawn = bars(results.path.with_suffix('.png'), results.runs, title)
        parts += [tables(results.runs), f'![Accuracy and F1 of each trait](results/{drawn.name})']
        if any(VARIANTS[entry['variant']].shots for entry in results.runs if entry['variant'] in VARIANTS):
            curve = results.path.with_name(f'{size}_few_shot.png')
            few_shot_curve(curve, results.runs, split_sizes(SIZES[size].sheets)[0] // 2, title)
            parts.append(f'![Accuracy over the number of training sheets](results/{curve.name})')
    publish(PROJECT / 'README.md', size, results, parts)


def study(args: argparse.Namespace) -> None:
    """Make the sheets, train, draw."""
    size = SIZES[args.size]
    results = open_results(PROJECT / 'results' / f'{args.size}.json', size)
    work_dir = args.work_dir or Path('work_dirs/study_simnet', args.size)
    if not args.table:
        command = world_command(size, args.workers)
        print(show(command), flush=True)
        subprocess.run(command, check=True)
        if args.time:
            time_all(TIMED, lambda *where: timing_command(size, *where), results, work_dir, ITERATIONS)
        else:
            runs = plan_runs(args.variants, args.seeds)
            run_all(tasks(size, runs, work_dir), results, args.jobs, score, summary=summary)
    draw(args.size, results)


def main() -> None:
    """Run the command."""
    args = parse_args()
    run_command(lambda: study(args), ROOT)


if __name__ == '__main__':
    main()
