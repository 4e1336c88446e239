"""Random numbers as a function of (seed, place in the run) instead of a state that drifts with what ran before."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager
from typing import Any, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset


def seed_everything(*key: int) -> None:
    """Seed ``random``, numpy and torch (CPU and CUDA) from the numbers ``key``; near keys give unrelated states."""
    words = _seed_cpu(key)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(words)


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Run the block under CPU random states derived from ``key`` and put the former states back afterwards."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    _seed_cpu(key)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def _seed_cpu(key: Sequence[int]) -> int:
    state = np.random.SeedSequence([int(number) for number in key]).generate_state(4)
    words = int.from_bytes(state.tobytes(), 'little')
    random.seed(words)
    np.random.seed(state)
    torch.default_generator.manual_seed(words & (1 << 63) - 1)
    return words & (1 << 63) - 1


class Visit(int):
    """Index of a sample that also knows its ``round``: (epoch, how often the epoch has visited the sample before)."""

    round: tuple[int, int]

    def __new__(cls, index: int, round: tuple[int, int]) -> Visit:
        visit = super().__new__(cls, index)
        visit.round = round
        return visit

    def __getnewargs__(self) -> tuple:
        return int(self), self.round


class VisitSampler:
    """The indices of another sampler as :class:`Visit`; what they know travels with them into worker processes.

    Args:
        sampler: Yields indices; its ``epoch``, where it has one, is read when an iteration begins.
        skip: How many indices the first iteration leaves out, to go on in the middle of an epoch.
    """

    def __init__(self, sampler: Iterable[int], skip: int = 0) -> None:
        self.sampler = sampler
        self.skip = skip

    def __iter__(self) -> Iterator[Visit]:
        skip, self.skip = self.skip, 0
        epoch, seen = getattr(self.sampler, 'epoch', 0), Counter()
        for position, index in enumerate(self.sampler):
            if position >= skip:
                yield Visit(index, (epoch, seen[index]))
            seen[index] += 1

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name == 'sampler':  # not yet there while the object is unpickled
            raise AttributeError(name)
        return getattr(self.sampler, name)


class SeededFetch:
    """What to install as ``dataset.__getitems__``: loads each sample under a random state of its own.

    Args:
        dataset: The dataset to read from.
        seed: Seed of the run.
        stream: A number that separates these random numbers from others of the same seed.
    """

    def __init__(self, dataset: Dataset, seed: int, stream: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.stream = stream

    def __call__(self, indices: Sequence[int]) -> list:
        """Samples at ``indices``, in their order; plain integers count as the first visit."""
        return [self._load(index) for index in indices]

    def _load(self, index: int) -> Any:
        with seeded(self.seed, self.stream, *getattr(index, 'round', (0, 0)), int(index)):
            return self.dataset[index]
