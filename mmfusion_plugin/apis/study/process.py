"""One training in a process of its own, with what it has cost and under which conditions it ran."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from mmfusion_plugin.version import __version__

STOPPED = threading.Event()
"""Set when the study itself is ended: trainings under way end as well."""


@dataclass(frozen=True)
class Usage:
    """What a training has cost.

    Attributes:
        seconds: From start to end, validation included.
        peak_memory_mb: Largest resident memory of its process in MiB; None where the system does not tell (not Linux).
    """

    seconds: float
    peak_memory_mb: float | None

    def figures(self) -> dict[str, float | None]:
        """Both, rounded for a results file."""
        return {name: None if value is None else round(value, 1) for name, value in asdict(self).items()}


Runner = Callable[[list, Path, int], Usage]
"""Runs a command with a work folder and a number of threads: :func:`train`, or its stand-in in tests."""


def train(command: list[str], work_dir: Path, threads: int) -> Usage:
    """Run a training in a process of its own; its output goes to ``work_dir/output.log``.

    Raises:
        RuntimeError: It failed; the text holds its last lines.
    """
    environment = {'GOMP_SPINCOUNT': '30000', **os.environ, 'OMP_NUM_THREADS': str(threads)}
    log = work_dir / 'output.log'
    peak = None
    with open(log, 'w') as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None and not STOPPED.is_set():
                peak = _peak_memory(process.pid) or peak
                time.sleep(0.1)
        finally:
            process.kill()  # nothing where it has ended
            process.wait()
        seconds = time.perf_counter() - begin
    if process.returncode:
        tail = ''.join(log.read_text().splitlines(keepends=True)[-15:])
        raise RuntimeError(f'{show(command)}\nfailed with status {process.returncode}; the end of {log}:\n{tail}')
    return Usage(seconds, peak)


def _peak_memory(pid: int) -> float | None:
    """MiB of a live process; unlike ``ru_maxrss``, without what its parent held when it was started."""
    with contextlib.suppress(OSError):
        found = re.search(r'VmHWM:\s+(\d+) kB', Path(f'/proc/{pid}/status').read_text())
        return int(found.group(1)) / 1024 if found else None
    return None


def show(command: list[str]) -> str:
    """A command as a user types it in the project's folder."""
    return shlex.join(['python' if word == sys.executable else word for word in command])


def fresh_folder(path: Path) -> None:
    """An empty folder."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


def conditions(threads: int) -> dict:
    """Under which a training has run; ``load_average`` over the last 1, 5 and 15 minutes, itself included."""
    return {
        'threads': threads,
        'load_average': [round(load, 2) for load in os.getloadavg()],
        'device': torch.cuda.get_device_name() if torch.cuda.is_available() else f'{os.cpu_count()} CPU cores',
        'version': __version__,
        'torch': torch.__version__,
    }
