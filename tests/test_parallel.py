"""Work over processes: in order, a few items at a time, and loud when a process dies."""

from __future__ import annotations

import os
import signal

import pytest

from mmfusion_plugin.parallel import parallel_map


def square(value: int) -> int:
    return value * value


def die_at_three(value: int) -> int:
    if value == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def fail_at_three(value: int) -> int:
    if value == 3:
        raise KeyError('three')
    return value


@pytest.mark.parametrize('workers', [0, 1, 2])
@pytest.mark.parametrize('count', [0, 1, 50])
def test_results_come_in_order(workers, count):
    assert list(parallel_map(square, range(count), workers)) == [i * i for i in range(count)]


def test_items_are_taken_as_needed():
    taken = []
    results = parallel_map(square, (taken.append(i) or i for i in range(1000)), 2)
    assert next(results) == 0 and len(taken) < 20
    results.close()


def test_killed_process():
    with pytest.raises(ChildProcessError, match='one of 2 worker processes was killed.*memory'):
        list(parallel_map(die_at_three, range(100), 2))


@pytest.mark.parametrize('workers', [1, 2])
def test_errors_pass_through(workers):
    with pytest.raises(KeyError, match='three'):
        list(parallel_map(fail_at_three, range(100), workers))
