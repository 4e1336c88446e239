"""What a training step of each system costs: a few iterations alone on the machine, one system after the other.

The runs of a study share the machine with each other, and often with other work: their times tell nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from .logs import read_steps
from .page import markdown
from .process import Runner, conditions, fresh_folder, show, train
from .results import Results


def time_all(
    variants: Sequence[str], command: Callable[[str, Path], list[str]], results: Results, work_dir: Path,
    iterations: int, runner: Runner = train,
) -> None:
    """Measure each variant with all cores, and put it into ``results`` in place of earlier figures.

    Args:
        variants: In the order in which they run.
        command: The training of a variant in a folder, of ``iterations`` iterations, without validation.
        results: Gets an entry as each ends.
        work_dir: Gets a folder per variant.
        iterations: That each must have had.
        runner: Trains; for tests.

    Raises:
        RuntimeError: A training failed.
        ValueError: The world is too small for ``iterations``.
    """
    threads = os.cpu_count() or 1
    for variant in variants:
        folder = work_dir / f'{variant}_timing'
        fresh_folder(folder)
        words, before = command(variant, folder), os.getloadavg()
        usage = runner(words, folder, threads)
        figures = read_steps(folder)
        if figures['iterations'] < iterations:
            raise ValueError(f'{folder}: {figures["iterations"]} iterations, not {iterations}: the world is too small')
        entry = {'variant': variant, **figures, **usage.figures(), 'load_before': [round(load, 2) for load in before]}
        results.add_timing({**entry, **conditions(threads), 'command': show(words)})
        print(f'{variant}: {figures["seconds_per_iteration"]:.2f} s / iteration', flush=True)


def timing_table(timing: list[dict]) -> str:
    """Markdown: cost of a training step of each system, measured alone."""
    rows = [['alone on the machine', 's / iteration', 'MiB', 'load average before', 'after', 'iterations', 'threads']]
    for entry in timing:
        memory = entry.get('gpu_memory_mb', entry['peak_memory_mb'])
        row = [entry['variant'], f'{entry["seconds_per_iteration"]:.2f}', '–' if memory is None else f'{memory:.0f}']
        row += [f'{entry["load_before"][0]:.2f}', f'{entry["load_average"][0]:.2f}']
        rows.append([*row, str(entry['iterations']), str(entry['threads'])])
    return markdown(rows)
