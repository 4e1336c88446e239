"""One run of one distance in a process of its own, for ``distances.py``."""

from __future__ import annotations

import re
import resource
import time
from pathlib import Path
from typing import NamedTuple

import torch
from distance_cases import CASES, clouds


class Job(NamedTuple):
    """What a process measures: ``side`` is 'ours' or 'other', ``memory`` the GB that it may add."""

    op: str
    side: str
    points: int
    batch: int
    device: str
    memory: float


class Result(NamedTuple):
    """Of one run."""

    seconds: float
    megabytes: float
    value: float


def measure(job: Job) -> Result | None:
    """One run, or None where the memory does not suffice; called once on small clouds before."""
    case, cuda = CASES[job.op], job.device.startswith('cuda')
    function = case.ours if job.side == 'ours' else case.other
    clock = time.perf_counter if cuda else time.process_time

    def step(points: int) -> tuple[float, float]:
        prediction, truth = clouds(job.batch, points, job.device)
        start = clock()
        value = function(prediction.requires_grad_(case.backward), truth)
        if case.backward:
            value.backward()
        if cuda:
            torch.cuda.synchronize()
        return clock() - start, float(value)

    step(32)
    before = megabytes('VmRSS', cuda)
    limit_memory(job.memory, cuda)
    try:
        seconds, value = step(job.points)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not re.search("can't allocate memory|out of memory", str(error)):
            raise
        return None
    return Result(seconds, megabytes('VmHWM', cuda) - before, value)


def limit_memory(gigabytes: float, cuda: bool) -> None:
    """Let this process allocate so much more."""
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.set_per_process_memory_fraction(min(1.0, 1e9 * gigabytes / torch.cuda.mem_get_info()[1]))
    else:
        most = int(1e6 * megabytes('VmData', cuda) + 1e9 * gigabytes)
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def megabytes(field: str, cuda: bool) -> float:
    """Of this process by the kernel's account (Linux); on a GPU what is allocated at most."""
    if cuda:
        return torch.cuda.max_memory_allocated() / 1e6
    return int(re.search(rf'{field}:\s+(\d+) kB', Path('/proc/self/status').read_text())[1]) * 1024 / 1e6
