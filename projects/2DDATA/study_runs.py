"""Running the study: one real training per entry of a results file, which a stopped study continues."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from study_plan import INTEREST, OTHERS, VARIANTS, Run, Size, training_command
from tqdm import tqdm

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES
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


Runner = Callable[[list, Path, int], Usage]
STOPPED = threading.Event()  # ends trainings under way when the study itself is ended


class Results:
    """Finished runs in a JSON file, written whole after each.

    Args:
        path: The file; created with the first run.
        settings: :meth:`Size.settings`.

    Raises:
        ValueError: The file holds results of other settings.
    """

    def __init__(self, path: Path, settings: dict) -> None:
        self.path = path
        content = json.loads(path.read_text()) if path.is_file() else {'settings': settings, 'runs': []}
        self.settings, self.runs = content['settings'], content['runs']
        different = sorted(key for key in {*settings, *self.settings} if settings.get(key) != self.settings.get(key))
        if different:
            raise ValueError(f'{path} holds runs of other settings ({", ".join(different)}): move it away')

    def done(self, run: Run) -> bool:
        """Whether the run is there."""
        return any((entry['variant'], entry['seed']) == (run.variant, run.seed) for entry in self.runs)

    def add(self, entry: dict) -> None:
        """Add a run; the file keeps the order of seeds and variants."""
        self.runs = sorted([*self.runs, entry], key=lambda e: (e['seed'], list(VARIANTS).index(e['variant'])))
        lines = ',\n'.join(f'  {json.dumps(entry)}' for entry in self.runs)
        write_text(self.path, f'{{"settings": {json.dumps(self.settings)},\n "runs": [\n{lines}\n]}}\n')


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


def read_scores(work_dir: Path) -> dict:
    """What a training has logged.

    Returns:
        ``iou`` per class (None for a class that occurs nowhere), their means ``miou``, ``interest`` and ``other`` over
        the classes that occur, ``iterations``, ``seconds_per_iteration`` (median), and ``gpu_memory_mb`` on CUDA.

    Raises:
        ValueError: The log holds no validation or no training.
    """
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    steps = [row for row in rows if 'loss' in row]
    scored = [row for row in rows if 'miou' in row]
    if not steps or not scored:
        raise ValueError(f'{work_dir} holds no finished training: {len(steps)} steps, {len(scored)} validations logged')
    iou = {name: None if math.isnan(scored[-1][f'iou_{name}']) else scored[-1][f'iou_{name}'] for name in CLASSES}
    scores = {'miou': scored[-1]['miou'], 'interest': _mean(iou, INTEREST), 'other': _mean(iou, OTHERS), 'iou': iou}
    scores['iterations'] = len(steps)
    scores['seconds_per_iteration'] = round(statistics.median(row['time'] for row in steps), 4)
    if 'memory' in steps[-1]:
        scores['gpu_memory_mb'] = max(row['memory'] for row in steps)
    return scores


def _mean(iou: dict[str, float | None], names: tuple[str, ...]) -> float | None:
    values = [iou[name] for name in names if iou[name] is not None]
    return statistics.fmean(values) if values else None


def run_one(size: Size, run: Run, work_dir: Path, threads: int, boxes: dict | None, runner: Runner) -> dict:
    """Train, and return the run's entry; what an interrupted attempt left is removed first."""
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    command = training_command(size, run, work_dir)
    usage = runner(command, work_dir, threads)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'{os.cpu_count()} CPU cores'
    return {
        **asdict(run),
        **read_scores(work_dir),
        **{name: None if value is None else round(value, 1) for name, value in asdict(usage).items()},
        'boxes': boxes,
        'config': size.configs[VARIANTS[run.variant].system],
        'version': __version__,
        'torch': torch.__version__,
        'device': device,
        'threads': threads,
        'command': show(command),
    }


def run_all(
    size: Size, runs: list[Run], results: Results, work_dir: Path, jobs: int, boxes: dict[int, dict],
    runner: Runner = train,
) -> None:
    """Train what is not in ``results``, ``jobs`` at a time, each with its share of the cores.

    Args:
        size: Of the study.
        runs: In the order in which they start.
        results: Gets an entry as each run ends.
        work_dir: Gets a folder per run.
        jobs: Trainings at once.
        boxes: Figures of the training boxes at each level of quality in use.
        runner: Trains; for tests.

    Raises:
        RuntimeError: A training failed. Those under way are awaited and kept, no other is started.
    """
    pending = [run for run in runs if not results.done(run)]
    threads = max(1, (os.cpu_count() or 1) // jobs)
    print(f'{len(runs) - len(pending)} of {len(runs)} runs are there; {jobs} at once, {threads} threads each')
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(runs), initial=len(runs) - len(pending), unit='run') as bar:
        futures = {
            pool.submit(run_one, size, run, work_dir / run.name, threads, boxes.get(level_of(run)), runner): run
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


def level_of(run: Run) -> int | None:
    """Level of its training boxes; None where it uses none."""
    variant = VARIANTS[run.variant]
    return variant.box_level if variant.system == '2ddata' else None
