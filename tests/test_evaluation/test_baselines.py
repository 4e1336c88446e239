"""Baselines against a plain dictionary of counts."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from mmfusion_plugin.evaluation.baselines import HeightBaseline, MajorityBaseline


def sweeps(seed: int, count: int = 3):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = rng.integers(0, 200)
        yield rng.uniform(-2, 4, n), rng.integers(0, 6, n)  # label 5 is the ignored one


def test_height_baseline_counts_as_a_dictionary_does():
    table = defaultdict(Counter)
    for height, label in sweeps(1):
        for z, c in zip(height, label):
            if c < 5:
                table[int(np.floor((z + 5) / 0.5))][c] += 1
    baseline = HeightBaseline(5, bin_size=0.5, lower=-5, upper=10).fit(sweeps(1))
    for height in np.concatenate([h for h, _ in sweeps(1)]):
        counts = table[int(np.floor((height + 5) / 0.5))]
        best = min(c for c, n in counts.items() if n == max(counts.values()))
        assert baseline.predict(np.array([height]))[0] == best


def test_unseen_height_answers_the_overall_majority():
    baseline = HeightBaseline(3).fit([(np.array([0.0, 0.0, 2.0]), np.array([1, 1, 2]))])
    assert baseline.predict(np.array([-50.0, 9.0, 2.0])).tolist() == [1, 1, 2]


def test_majority_baseline_is_constant():
    baseline = MajorityBaseline(4).fit([(np.array([-9.0, 0.5, 99.0]), np.array([3, 3, 0]))])
    assert baseline.predict(np.linspace(-20, 20, 7)).tolist() == [3] * 7


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match='no labelled point'):
        MajorityBaseline(2).fit([(np.zeros(2), np.array([9, 9]))]).predict(np.zeros(1))
    with pytest.raises(ValueError, match='2 heights but 1 labels'):
        MajorityBaseline(2).fit([(np.zeros(2), np.zeros(1, int))])
    with pytest.raises(ValueError, match='bin_size'):
        HeightBaseline(2, bin_size=0)
