"""Where the seconds of a run go, for ``segmentors.py``."""

from __future__ import annotations

import functools
from collections import defaultdict
from contextlib import contextmanager
from typing import Any, Callable, Iterator


class Stopwatch:
    """Seconds of each part of a run; what runs inside another part is taken out of it, so that all add up.

    Args:
        now: Clock in seconds; for an accelerator one that waits for its work.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block as ``name``."""
        self._credit()
        self._running.append(name)
        try:
            yield
        finally:
            self._credit()
            self._running.pop()

    def charge(self, owner: Any, function: str, name: str) -> None:
        """Count each call of ``owner.function`` as ``name``, from now on, where it is called inside some part."""
        original = getattr(owner, function)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if not self._running:
                return original(*args, **kwargs)
            with self.part(name):
                return original(*args, **kwargs)

        setattr(owner, function, timed)

    def _credit(self) -> None:
        now = self.now()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
