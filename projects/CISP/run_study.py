#!/usr/bin/env python
"""Compare image-shape embeddings, and shapes drawn by their guidance, over seeds on generated models.

Every run is a training by tools/train.py, or something measured of a finished one. A finished run is added to
projects/CISP/results/<size>.json and never repeated: the study can be stopped and started again.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from study_commands import world_commands
from study_pictures import bars, draw_shapes, paths_strip, shapes_grid
from study_plan import CORE, ROOT, TRAININGS, VARIANTS, plan_runs
from study_runs import ITERATIONS, open_results, score, summary, tasks, timing_command
from study_sizes import SIZES
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

PROJECT = Path(__file__).resolve().parent
EXAMPLES = """examples:
  python projects/CISP/run_study.py --size cpu                        # 8 trainings x 3 seeds, their tests, baselines
  python projects/CISP/run_study.py --size cpu --variants cisp cisp-cnn --seeds 0 1 2 3 4
  python projects/CISP/run_study.py --size cpu --variants ic3d-cisp-emd ic3d-images-emd ic3d-unguided-emd
  python projects/CISP/run_study.py --size gpu --jobs 1               # the published networks, more models
  python projects/CISP/run_study.py --size cpu --time                 # seconds and memory, on an idle machine
  python projects/CISP/run_study.py --size cpu --table                # tables and pictures of what is finished
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study_options(parser, SIZES, VARIANTS, CORE, 'work_dirs/study_cisp')
    return parser.parse_args()


def draw(size: str, results: Results, work_dir: Path) -> None:
    """Print the tables, put them into the README, and draw the pictures beside the results."""
    folder, parts = results.path.parent, []
    if results.runs:
        drawn = bars(folder, size, results.runs)
        for name, picture in (('shapes', shapes_grid), ('paths', paths_strip)):
            path = folder / f'{size}_{name}.png'
            picture(path, work_dir, f'Generated models, size {size}, first seed')
            if path.is_file():  # of an earlier run, where its networks are gone
                drawn[f'{name.capitalize()} of the first seed'] = path
        parts = [tables(results.runs), *(f'![{text}](results/{path.name})' for text, path in drawn.items())]
    publish(PROJECT / 'README.md', size, results, parts)


def study(args: argparse.Namespace) -> None:
    """Make models and sketches, train, measure, draw."""
    size = SIZES[args.size]
    results = open_results(PROJECT / 'results' / f'{args.size}.json', size)
    work_dir = args.work_dir or Path('work_dirs/study_cisp', args.size)
    if not args.table:
        for command in world_commands(size, args.workers):
            print(show(command), flush=True)
            subprocess.run(command, check=True)
        if args.time:
            timed = [name for name in TRAININGS if name in size.trainings]
            time_all(timed, lambda *where: timing_command(size, *where), results, work_dir, ITERATIONS)
        else:
            runs = tasks(size, plan_runs(size, args.variants, args.seeds), work_dir)
            run_all(runs, results, args.jobs, score, summary=summary)
            draw_shapes(size, work_dir, args.seeds[0])
    draw(args.size, results, work_dir)


def main() -> None:
    """Run the command."""
    args = parse_args()
    run_command(lambda: study(args), ROOT)


if __name__ == '__main__':
    main()
