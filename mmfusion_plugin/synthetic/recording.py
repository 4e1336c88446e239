"""How a generated world gets onto the disk: a folder that is ours, and scenes recorded side by side."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Callable, Dict, Sequence

import cv2
from tqdm import tqdm

from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic import raycast

#: Records one scene: called with the world's folder, the scene's plan, and a function to call after each sample.
Record = Callable[[Path, Any, Callable[[], None]], None]

_DONE: Any = None
_FORKED = False


def claim_folder(root: Path, stamp_name: str, ours: str, settings: Dict[str, Any], what: str) -> None:
    """Marks a folder as ours, or says why it cannot be used.

    Args:
        root: The folder.
        stamp_name: File in it that keeps ``settings``.
        ours: Pattern of stamps that may lie there already.
        settings: Of the world, with the ``generation`` of its generator. They must be all that the folder's stamp has:
            an option that older worlds do not name is left out where it has no effect.
        what: The world's kind, for messages.

    Raises:
        FileExistsError: It holds something else, a world of other settings, or one of an older generator.
    """
    stamp = root / stamp_name
    if not stamp.is_file():
        if root.exists() and any(root.iterdir()) and not list(root.glob(ours)):
            raise FileExistsError(f'{root} is not empty and was not made by this generator; choose an empty folder')
        write_text(stamp, json.dumps(settings, indent=0))
        return
    found = json.loads(stamp.read_text())
    remedy = f'choose another folder, or remove {root} to make it anew'
    if found.get('generation') != settings['generation']:
        raise FileExistsError(
            f'{root} was made by generation {found.get("generation")} of this generator, which is now at generation '
            f'{settings["generation"]} and draws other scenes; {remedy}'
        )
    different = [name for name in {**settings, **found} if found.get(name) != settings.get(name)]
    if different:
        listed = '; '.join(f'{k}: {_brief(found.get(k))} there, {_brief(settings.get(k))} asked' for k in different)
        raise FileExistsError(f'{root} holds a {what} world of other settings ({listed}); give its settings, {remedy}')


def _brief(value: Any) -> str:
    """A setting in a message: a list of scene names by its length and ends."""
    return f'{len(value)} ({value[0]} to {value[-1]})' if isinstance(value, list) and value else repr(value)


def _start_worker(done: Any) -> None:
    global _DONE
    _DONE = done
    cv2.setNumThreads(1)  # a spawned process begins with as many threads as there are cores


def _record(record: Record, root: str, plan: Any, slot: int) -> None:
    def advance() -> None:
        _DONE[slot] += 1

    record(Path(root), plan, advance)


def record_all(record: Record, root: Path, plans: Sequence[Any], workers: int, bar: tqdm) -> None:
    """Calls ``record(root, plan, advance)`` for each scene, in this process or spread over ``workers``.

    Raises:
        RuntimeError: a worker was killed from outside.
    """
    if workers <= 1 or len(plans) <= 1:
        for plan in plans:
            record(root, plan, lambda: bar.update(1))
        return
    # A fork inherits what is imported already, but the threads of Embree and OpenCV do not survive it, and a child that
    # waits for them waits for ever: only while Embree is unused, and only the first time, before files are joined.
    global _FORKED
    fork = not (raycast.started() or _FORKED) and 'fork' in multiprocessing.get_all_start_methods()
    _FORKED = True
    context = multiprocessing.get_context('fork' if fork else 'spawn')
    # One counter per scene, each written by one worker: no lock that a killed worker could keep.
    done = context.RawArray('i', len(plans))
    pool = ProcessPoolExecutor(min(workers, len(plans)), context, _start_worker, (done,))
    before, threads = bar.n, cv2.getNumThreads()
    try:
        # In a fork, OpenCV would wait for threads that are not there: they end here, before the first process begins.
        cv2.setNumThreads(1)
        pending = {pool.submit(_record, record, str(root), plan, slot) for slot, plan in enumerate(plans)}
        while pending:
            finished, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
            bar.update(before + sum(done) - bar.n)
    except BrokenProcessPool as error:
        raise RuntimeError(
            f'one of {workers} worker processes was killed while it recorded a scene of {root}, most likely because '
            'memory ran out; finished scenes are kept: give the same command again, with fewer workers'
        ) from error
    finally:
        cv2.setNumThreads(threads)
        pool.shutdown(wait=True, cancel_futures=True)
