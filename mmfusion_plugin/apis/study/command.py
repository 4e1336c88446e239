"""The command line that studies share."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path


def add_study_options(
    parser: argparse.ArgumentParser, sizes: Collection[str], variants: Collection[str], core: Sequence[str],
    work_dir: str,
) -> argparse._MutuallyExclusiveGroup:
    """Add the options of a study to ``parser``.

    Args:
        parser: Of the study's command.
        sizes: Names of its sizes, ``cpu`` among them.
        variants: All that can be trained.
        core: Those that are trained when none is named.
        work_dir: Of logs and checkpoints; a folder per size below it is the default.

    Returns:
        The group of options that do something instead of training (``--time``, ``--table``), for more of them.
    """
    others = [name for name in variants if name not in core]
    asked = f'; others: {", ".join(others)}' if others else ''
    parser.add_argument('--size', choices=sizes, default='cpu', help='how much of everything (default: %(default)s)')
    parser.add_argument('--variants', nargs='+', choices=variants, default=list(core), metavar='NAME',
                        help=f'default: {", ".join(core)}{asked}')  # fmt: skip
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='N', help='default: 0 1 2')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at once (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='processes that make the world')
    parser.add_argument('--work-dir', type=Path, help=f'logs and checkpoints (default: {work_dir}/<size>)')
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument('--time', action='store_true', help='train each system alone, a few iterations for its time')
    instead.add_argument('--table', action='store_true', help='train nothing: draw what is finished')
    return instead


def run_command(study: Callable[[], None], root: Path) -> None:
    """Run a study in the project's folder ``root``, where its tools and configs are; a fault ends in its text and exit
    status 1, SIGTERM in the end of the trainings under way."""
    os.chdir(root)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('run_study: stopped; the same command goes on'))
    try:
        study()
    except (OSError, ValueError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f'run_study: {error}')
