"""Running the study: one real training per entry of a results file, which a stopped study continues."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from study_plan import VARIANTS, Run, Size, training_command
from study_scores import read_scores
from tqdm import tqdm

from mmfusion_plugin.files import write_text
from mmfusion_plugin.version import __version__


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
STOPPED = threading.Event()  # ends trainings under way when the study itself is ended


class Results:
    """Finished runs, and times, in a JSON file, written whole after each.

    Args:
        path: The file; created with the first run.
        settings: :meth:`Size.settings`.

    Attributes:
        runs: Entries of :func:`run_one`.
        timing: Entries of ``study_timing``.

    Raises:
        ValueError: The file holds results of other settings.
    """

    def __init__(self, path: Path, settings: dict) -> None:
        self.path, self.settings = path, settings
        content = json.loads(path.read_text()) if path.is_file() else {'settings': settings, 'runs': []}
        self.runs, self.timing = content['runs'], content.get('timing', [])
        different = self._differences(content['settings'])
        if different:
            raise ValueError(f'{path} holds runs of other settings ({", ".join(different)}): move it away')
        if content['settings'] != settings:
            self._save()

    def _differences(self, theirs: dict) -> list[str]:
        # A file may be older than the digests, or than a variant. What it holds without one is taken, this once, for
        # made with the settings of today: their digests are written in, and hold from then on.
        digests = theirs.get('digests', {})
        finished = {entry['variant'] for entry in [*self.runs, *self.timing]}
        changed = [name for name in finished if digests.get(name) not in (None, self.settings['digests'].get(name))]
        names = {*theirs, *self.settings} - {'digests'}
        others = [name for name in names if theirs.get(name) != self.settings.get(name)]
        return sorted(others) + [f'config or boxes of {name}' for name in sorted(changed)]

    def done(self, run: Run) -> bool:
        """Whether the run is there."""
        return any((entry['variant'], entry['seed']) == (run.variant, run.seed) for entry in self.runs)

    def add(self, entry: dict) -> None:
        """Add a run; the file keeps the order of seeds and variants."""
        self.runs = sorted([*self.runs, entry], key=lambda e: (e['seed'], list(VARIANTS).index(e['variant'])))
        self._save()

    def add_timing(self, entry: dict) -> None:
        """Add the times of a variant, or replace them; the file keeps the order of variants."""
        others = [old for old in self.timing if old['variant'] != entry['variant']]
        self.timing = sorted([*others, entry], key=lambda e: list(VARIANTS).index(e['variant']))
        self._save()

    def _save(self) -> None:
        lists = {'runs': self.runs, **({'timing': self.timing} if self.timing else {})}
        parts = [f'"settings": {json.dumps(self.settings)}']
        parts += [f'"{name}": [\n' + ',\n'.join(f'  {json.dumps(e)}' for e in lists[name]) + '\n]' for name in lists]
        write_text(self.path, '{' + ',\n '.join(parts) + '}\n')


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


def run_one(
    size: Size, run: Run, work_dir: Path, threads: int, jobs: int, boxes: dict | None, runner: Runner
) -> dict:
    """Train, and return the run's entry; what an interrupted attempt left is removed first."""
    fresh_folder(work_dir)
    command = training_command(size, run, work_dir)
    usage = runner(command, work_dir, threads)
    return {
        **asdict(run),
        **read_scores(work_dir),
        **usage.figures(),
        'boxes': boxes,
        'config': size.configs[VARIANTS[run.variant].system],
        'jobs': jobs,
        **conditions(threads),
        'command': show(command),
    }


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


def run_all(
    size: Size, runs: list[Run], results: Results, work_dir: Path, jobs: int, boxes: dict[str, dict],
    runner: Runner = train,
) -> None:
    """Train what is not in ``results``, ``jobs`` at a time, each with its share of the cores.

    Args:
        size: Of the study.
        runs: In the order in which they start.
        results: Gets an entry as each run ends.
        work_dir: Gets a folder per run.
        jobs: Trainings at once.
        boxes: Figures of the training boxes of each variant that has any.
        runner: Trains; for tests.

    Raises:
        RuntimeError: A training failed. Those under way are awaited and kept, no other is started.
    """
    pending = [run for run in runs if not results.done(run)]
    threads = max(1, (os.cpu_count() or 1) // jobs)
    print(f'{len(runs) - len(pending)} of {len(runs)} runs are there; {jobs} at once, {threads} threads each')
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(runs), initial=len(runs) - len(pending), unit='run') as bar:
        futures = {
            pool.submit(
                run_one, size, run, work_dir / run.name, threads, jobs, boxes.get(run.variant), runner
            ): run
            for run in pending
        }
        try:
            for future in as_completed(futures):
                entry = future.result()
                results.add(entry)
                bar.write(f'{futures[future].name}: mIoU {100 * entry["miou"]:.2f}, {entry["seconds"]:.0f} s')
                bar.update()
        except (KeyboardInterrupt, SystemExit):
            STOPPED.set()
            raise
        finally:
            for future in futures:
                future.cancel()
            for future, run in futures.items():  # a failure beside them is no reason to lose these
                if not future.cancelled() and future.exception() is None and not results.done(run):
                    results.add(future.result())
