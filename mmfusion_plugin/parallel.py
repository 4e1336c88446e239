"""Work spread over processes, of which none may vanish unnoticed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_AHEAD = 4  # items in flight per process: none waits for work, and memory does not grow with the number of items


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order.

    Args:
        function: Importable, so that it can travel to another process; its argument and result are pickled.
        items: Taken a few at a time.
        workers: Number of processes; up to 1 works in this one.

    Raises:
        ChildProcessError: A process was killed, for instance because memory ran out.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    pool, pending = ProcessPoolExecutor(workers), deque[Future]()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= _AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f'one of {workers} worker processes was killed, most likely because memory ran out: run again with fewer '
            'workers'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
