"""What a training step of each system costs: a few iterations alone on the machine, one system after the other.

The runs of the study share the machine with each other, and often with other work: their times tell nothing.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from study_plan import VARIANTS, Run, Size, load_config, training_command
from study_runs import Results, Runner, conditions, fresh_folder, show, train
from study_scores import read_steps

TIMED = ('lidar-only', '2dpass', '2ddata', 'branch-alone')  # the others train one of these systems
ITERATIONS = 20


def timing_command(size: Size, variant: str, work_dir: Path) -> list[str]:
    """The variant's training on the first samples of the world, without validation."""
    samples = ITERATIONS * load_config(size.configs[VARIANTS[variant].system]).train_dataloader.batch_size
    limits = ('train_cfg.val_begin=2', f'train_dataloader.dataset.indices={samples}')
    return training_command(replace(size, epochs=1, options=(*size.options, *limits)), Run(variant, 0), work_dir)


def time_all(size: Size, results: Results, work_dir: Path, runner: Runner = train) -> None:
    """Measure each system of :data:`TIMED` with all cores, and put it into ``results`` in place of earlier figures.

    Raises:
        RuntimeError: A training failed.
        ValueError: The world is too small for :data:`ITERATIONS`.
    """
    threads = os.cpu_count() or 1
    for variant in TIMED:
        folder = work_dir / f'{variant}_timing'
        fresh_folder(folder)
        command, before = timing_command(size, variant, folder), os.getloadavg()
        usage = runner(command, folder, threads)
        figures = read_steps(folder)
        if figures['iterations'] < ITERATIONS:
            raise ValueError(f'{folder}: {figures["iterations"]} iterations, not {ITERATIONS}: the world is too small')
        entry = {'variant': variant, **figures, **usage.figures(), 'load_before': [round(load, 2) for load in before]}
        results.add_timing({**entry, **conditions(threads), 'command': show(command)})
        print(f'{variant}: {figures["seconds_per_iteration"]:.2f} s / iteration', flush=True)
