#!/usr/bin/env python
"""Compare 3D-ReConstNet's losses, a network without its Gaussian, and two baselines over seeds on generated models.

Every run is a training by tools/train.py, a baseline, or clouds drawn by a finished training. A finished run is added
to projects/3D-ReConstNet/results/<size>.json and never repeated: the study can be stopped and started again.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from study_plan import BASELINES, ROOT, SIZES, VARIANTS, plan_runs, world_command
from study_runs import ITERATIONS, open_results, score, summary, tasks, timing_command
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
  python projects/3D-ReConstNet/run_study.py --size cpu                  # 4 trainings x 3 seeds, 2 baselines, two cores
  python projects/3D-ReConstNet/run_study.py --size cpu --variants cd-emd diversity --seeds 0 1 2 3 4
  python projects/3D-ReConstNet/run_study.py --size gpu --jobs 1         # ResNet-50, 1024 points, more models
  python projects/3D-ReConstNet/run_study.py --size cpu --time           # seconds and memory, on an idle machine
  python projects/3D-ReConstNet/run_study.py --size cpu --table          # tables and picture of what is finished
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*VARIANTS, *BASELINES)
    add_study_options(parser, SIZES, names, names, 'work_dirs/study_reconstnet')
    return parser.parse_args()


def draw(size: str, results: Results) -> None:
    """Print the tables, put them into the README, and draw the picture beside the results."""
    parts = []
    if results.runs:
        drawn = picture(results.path.with_suffix('.png'), results.runs, f'Generated models, size {size}')
        parts += [tables(results.runs), f'![Both distances of each row](results/{drawn.name})']
    publish(PROJECT / 'README.md', size, results, parts)


def study(args: argparse.Namespace) -> None:
    """Make the models, train and score, draw."""
    size = SIZES[args.size]
    results = open_results(PROJECT / 'results' / f'{args.size}.json', size)
    work_dir = args.work_dir or Path('work_dirs/study_reconstnet', args.size)
    if not args.table:
        command = world_command(size, args.workers)
        print(show(command), flush=True)
        subprocess.run(command, check=True)
        if args.time:
            time_all(VARIANTS, lambda *where: timing_command(size, *where), results, work_dir, ITERATIONS)
        else:
            runs = tasks(size, plan_runs(args.variants, args.seeds), work_dir)
            run_all(runs, results, args.jobs, score, summary=summary)
    draw(args.size, results)


def main() -> None:
    """Run the command."""
    args = parse_args()
    run_command(lambda: study(args), ROOT)


if __name__ == '__main__':
    main()
