"""Running the trainings of a study, some at a time, some only when another one has ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

from tqdm import tqdm

from .process import STOPPED, Runner, conditions, fresh_folder, show, train
from .results import Results, Run


@dataclass(frozen=True)
class Task:
    """A run and how it is made.

    Attributes:
        run: Variant and seed.
        command: Its training, which logs and leaves everything in ``work_dir``.
        work_dir: Its folder; what an interrupted attempt left there is removed first.
        notes: What else its entry in the results says.
        needs: A run that must have left its ``product`` before this one begins.
        product: File that this run leaves for others, in ``work_dir``.
    """

    run: Run
    command: list[str]
    work_dir: Path
    notes: dict = field(default_factory=dict)
    needs: Optional[Run] = None
    product: Optional[Path] = None


def mean_iou(entry: dict) -> str:
    """What is said of a finished run while the others go on: its ``miou``."""
    return f'mIoU {100 * entry["miou"]:.2f}'


def run_all(
    tasks: Sequence[Task], results: Results, jobs: int, score: Callable[[Task], dict], runner: Runner = train,
    summary: Callable[[dict], str] = mean_iou,
) -> None:
    """Train what is not in ``results``, ``jobs`` at a time, each with its share of the cores.

    A finished run whose product is gone is trained again when an unfinished one needs it.

    Args:
        tasks: In the order in which they start; a task's needs are among them.
        results: Gets an entry as each run ends: variant and seed, scores, usage, notes, conditions, command.
        jobs: Trainings at once.
        score: What the training of a task has logged.
        runner: Trains; for tests.
        summary: What is said of an entry as its run ends.

    Raises:
        RuntimeError: A training failed. Those under way are awaited and kept, no other is started.
    """
    waiting = pending_tasks(tasks, results)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    finished = len(tasks) - len(waiting)
    print(f'{finished} of {len(tasks)} runs are there; {jobs} at once, {threads} threads each')
    running: dict[Future, Task] = {}
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(tasks), initial=finished, unit='run') as bar:
        try:
            while waiting or running:
                for task in _ready(waiting, running)[: jobs - len(running)]:
                    waiting.remove(task)
                    running[pool.submit(_run, task, threads, jobs, score, runner)] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task, entry = running[future], future.result()
                    results.add(entry)
                    del running[future]
                    bar.write(f'{task.run.name}: {summary(entry)}, {entry["seconds"]:.0f} s')
                    bar.update()
        except (KeyboardInterrupt, SystemExit):
            STOPPED.set()
            raise
        finally:
            for future in running:  # a failure beside them is no reason to lose these
                if future.exception() is None:
                    results.add(future.result())


def pending_tasks(tasks: Sequence[Task], results: Results) -> list[Task]:
    """Those to train, in their order: not in the results, or needed by such a one while their product is gone.

    Raises:
        ValueError: A task needs a run that is not among them.
    """
    known = {task.run: task for task in tasks}
    pending = {task.run for task in tasks if not results.done(task.run)}
    for task in tasks:
        if task.needs is not None and task.needs not in known:
            raise ValueError(f'{task.run.name} needs {task.needs.name}, which is not among the runs')
    for task in reversed(tasks):  # what is needed stands before, and may need others itself
        if task.run in pending and task.needs is not None:
            product = known[task.needs].product
            if not (product and product.is_file()):
                pending.add(task.needs)
    return [task for task in tasks if task.run in pending]


def _ready(waiting: list[Task], running: dict[Future, Task]) -> list[Task]:
    unfinished = {task.run for task in [*waiting, *running.values()]}
    return [task for task in waiting if task.needs not in unfinished]


def _run(task: Task, threads: int, jobs: int, score: Callable[[Task], dict], runner: Runner) -> dict:
    """Train, and return the run's entry."""
    fresh_folder(task.work_dir)
    usage = runner(task.command, task.work_dir, threads)
    if task.product is not None and not task.product.is_file():
        raise RuntimeError(f'{show(task.command)}\nhas not written {task.product}, which other runs begin with')
    return {
        **asdict(task.run),
        **score(task),
        **usage.figures(),
        **task.notes,
        'jobs': jobs,
        **conditions(threads),
        'command': show(task.command),
    }
