"""The greedy choice against plain sets, and against the best of all choices."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mmfusion_plugin.ops.view_selection import greedy_views


def with_sets(overlap: np.ndarray, num_views: int) -> list[int]:
    seen = [set(np.flatnonzero(row)) for row in overlap]
    chosen, covered = [], set()
    while len(chosen) < num_views:
        gains = [len(members - covered) for members in seen]
        if not any(gains):
            break
        chosen.append(gains.index(max(gains)))
        covered |= seen[chosen[-1]]
    return chosen + [-1] * (num_views - len(chosen))


def covered(overlap: np.ndarray, views: np.ndarray) -> int:
    return int(overlap[list(views)].any(axis=0).sum())


def random_overlap(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.random((random.integers(1, 12), random.integers(1, 40))) < random.choice([0.02, 0.1, 0.3, 0.8])


@pytest.mark.parametrize('seed', range(60))
@pytest.mark.parametrize('num_views', [1, 3, 7, 20])
def test_equals_a_choice_with_sets(seed, num_views):
    overlap = random_overlap(seed)
    views = greedy_views(overlap, num_views)
    assert views.dtype == np.int64 and views.tolist() == with_sets(overlap, num_views)


def test_near_the_best_of_all_choices():
    shares = []
    for seed in range(60):
        overlap = random_overlap(seed)
        for num_views in range(1, min(4, len(overlap)) + 1):
            best = max(covered(overlap, choice) for choice in combinations(range(len(overlap)), num_views))
            views = greedy_views(overlap, num_views)
            reached = covered(overlap, views[views >= 0])
            assert (1 - (1 - 1 / num_views) ** num_views) * best <= reached <= best
            shares.append(reached / max(best, 1))
    assert min(shares) < 1  # cases in which the two differ are among them


def test_best_of_all_where_frames_see_different_points():
    random = np.random.default_rng(0)
    for _ in range(20):
        owner = random.integers(0, 9, 50)
        overlap = owner == np.arange(8)[:, None]  # nobody sees the points of the ninth
        for num_views in range(1, 5):
            best = max(covered(overlap, choice) for choice in combinations(range(8), num_views))
            assert covered(overlap, greedy_views(overlap, num_views)) == best


def test_known_case_in_which_greedy_is_not_best():
    rows = [[0, 1, 2, 3], [0, 1, 4], [2, 3, 5]]
    overlap = np.array([[column in row for column in range(6)] for row in rows])
    assert greedy_views(overlap, 2).tolist() == [0, 1]


def test_ties_go_to_the_lowest_and_blind_frames_are_never_taken():
    overlap = np.zeros((6, 4), bool)
    overlap[[2, 4]] = True
    overlap[3, :2] = True
    assert greedy_views(overlap, 4).tolist() == [2, -1, -1, -1]
    overlap[2] = False
    overlap[2, :2] = True
    overlap[4, :2] = False
    assert greedy_views(overlap, 3).tolist() == [2, 4, -1]


@pytest.mark.parametrize('shape', [(0, 0), (0, 5), (5, 0), (3, 4)])
def test_nothing_to_see(shape):
    assert greedy_views(np.zeros(shape, bool), 3).tolist() == [-1, -1, -1]


def test_no_view_wanted():
    assert greedy_views(np.ones((3, 4), bool), 0).shape == (0,)


def test_large_counts_are_exact():
    overlap = np.zeros((3, 70_000), bool)
    overlap[0, :-1], overlap[1] = True, True
    assert greedy_views(overlap, 2).tolist() == [1, -1]


@pytest.mark.parametrize('overlap, num_views', [(np.ones(3, bool), 1), (np.ones((2, 3), bool), -1)])
def test_arguments_without_meaning(overlap, num_views):
    with pytest.raises(ValueError, match='num_views >= 0'):
        greedy_views(overlap, num_views)
