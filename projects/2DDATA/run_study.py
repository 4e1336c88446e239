#!/usr/bin/env python
"""Compare LiDAR-only, 2DPASS and 2DDATA, with boxes of four qualities, over seeds on a generated world.

Every run is a training by tools/train.py. A finished one is added to projects/2DDATA/results/<size>.json and never
repeated, so the study can be stopped at any time and started again.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from study_boxes import prepare_boxes
from study_plan import CORE, ROOT, SIZES, VARIANTS, world_commands
from study_runs import ITERATIONS, TIMED, open_results, score, tasks, timing_command
from study_table import picture, table

from mmfusion_plugin.apis.study import (
    Results,
    add_study_options,
    plan,
    publish,
    run_all,
    run_command,
    show,
    time_all,
)

PROJECT = Path(__file__).resolve().parent
EXAMPLES = """examples:
  python projects/2DDATA/run_study.py --size cpu                      # 7 variants x 3 seeds on two cores
  python projects/2DDATA/run_study.py --size cpu --variants 2dpass 2ddata --seeds 0 1 2 3 4
  python projects/2DDATA/run_study.py --size cpu --variants kl-0 kl-0.5 masks   # open questions, not in the default
  python projects/2DDATA/run_study.py --size gpu --jobs 1             # published widths, a larger world
  python projects/2DDATA/run_study.py --size cpu --time               # seconds and memory, on an idle machine
  python projects/2DDATA/run_study.py --size cpu --table              # table and picture of what is finished
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study_options(parser, SIZES, VARIANTS, CORE, 'work_dirs/study')
    return parser.parse_args()


def draw(size: str, results: Results) -> None:
    """Print the tables, put them into the README, and draw the picture beside the results."""
    parts = []
    if results.runs:
        drawn = picture(results.path.with_suffix('.png'), results.runs, f'Generated streets, size {size}')
        parts += [table(results.runs), f'![Means over classes and seeds](results/{drawn.name})']
    publish(PROJECT / 'README.md', size, results, parts)


def study(args: argparse.Namespace) -> None:
    """Make the world and the boxes of each variant, train, draw."""
    size = SIZES[args.size]
    results = open_results(PROJECT / 'results' / f'{args.size}.json', size)
    work_dir = args.work_dir or Path('work_dirs/study', args.size)
    if not args.table:
        variants = {} if args.time else {name: VARIANTS[name] for name in args.variants}
        for command in world_commands(size, args.workers, any(variant.masks for variant in variants.values())):
            print(show(command), flush=True)
            subprocess.run(command, check=True)
        if args.time:
            time_all(TIMED, lambda *where: timing_command(size, *where), results, work_dir, ITERATIONS)
        else:
            boxes = {name: prepare_boxes(size, variant) for name, variant in variants.items() if variant.has_boxes}
            run_all(tasks(size, plan(args.variants, args.seeds), work_dir, boxes), results, args.jobs, score)
    draw(args.size, results)


def main() -> None:
    """Run the command."""
    args = parse_args()
    run_command(lambda: study(args), ROOT)


if __name__ == '__main__':
    main()
