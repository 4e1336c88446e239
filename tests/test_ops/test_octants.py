"""octant_neighbours against a loop over all pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmfusion_plugin.ops import octants as module
from mmfusion_plugin.ops.octants import octant_neighbours


def by_loop(points: Tensor, radius: float) -> Tensor:
    """For each point and octant the first of the nearest others inside the ball."""
    rows = points.double().tolist()
    result = []
    for i, p in enumerate(rows):
        best = [(math.inf, i)] * 8
        for j, q in enumerate(rows):
            dist2 = sum((b - a) ** 2 for a, b in zip(p, q))
            octant = 4 * (q[0] > p[0]) + 2 * (q[1] > p[1]) + (q[2] > p[2])
            if j != i and dist2 < radius**2 and dist2 < best[octant][0]:
                best[octant] = (dist2, j)
        result.append([j for _, j in best])
    return torch.tensor(result, dtype=torch.long).view(-1, 8)


def both(points: Tensor, radius: float) -> Tensor:
    """The result, which both ways of searching must share."""
    tree = octant_neighbours(points, radius)
    dense = module._dense(points.double(), radius)
    assert torch.equal(tree, dense)
    return tree


@pytest.mark.parametrize('size', [0, 1, 2, 70])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_against_a_loop(size, dtype):
    points = torch.rand(size, 3, dtype=dtype)
    assert torch.equal(both(points, 0.4), by_loop(points, 0.4))


def test_ties_duplicates_and_planes():
    grid = torch.cartesian_prod(*[torch.arange(3.0)] * 3)
    points = torch.cat([grid, grid[:5]])
    for radius in (1.0, 1.001, 1.8):
        assert torch.equal(both(points, radius), by_loop(points, radius))
    flat = torch.rand(40, 3) * torch.tensor([1.0, 1.0, 0.0])
    found = both(flat, 0.5)
    assert torch.equal(found, by_loop(flat, 0.5))
    assert (found[:, 1::2] == torch.arange(40)[:, None]).all(), 'nothing lies above a plane'


def test_in_parts(monkeypatch):
    points = torch.rand(90, 3)
    whole = octant_neighbours(points, 0.6)
    monkeypatch.setattr(module, 'PAIRS_AT_ONCE', 200)
    monkeypatch.setattr(module, '_PAIRS', 50)
    assert torch.equal(both(points, 0.6), whole)


def test_translation():
    points = torch.randint(0, 64, (60, 3)) / 64  # exact in float32 also far away
    assert torch.equal(octant_neighbours(points + 1000, 0.3), octant_neighbours(points, 0.3))


@pytest.mark.parametrize('points, radius, error, message', [
    (torch.zeros(4, 2), 1.0, ValueError, r'points must be \(N, 3\), got \(4, 2\)'),
    (torch.zeros(4, 3).long(), 1.0, TypeError, 'points must be floating, got torch.int64'),
    (torch.zeros(4, 3), 0.0, ValueError, 'radius must be positive and finite, got 0.0'),
    (torch.full((4, 3), torch.nan), 1.0, ValueError, 'NaN or infinite'),
])  # fmt: skip
def test_clear_errors(points, radius, error, message):
    with pytest.raises(error, match=message):
        octant_neighbours(points, radius)
