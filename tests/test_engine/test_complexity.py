"""Counts of parameters and multiply-accumulates against counts by hand; the benchmark's arithmetic."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmfusion_plugin.engine import complexity
from mmfusion_plugin.engine.benchmark import benchmark_inference
from mmfusion_plugin.engine.complexity import count_complexity, simulated_sweep
from mmfusion_plugin.models.layers.sparse_modules import SubmanifoldConv3d
from mmfusion_plugin.ops.sparse_conv import SparseTensor


class Probe(BaseModel):
    """A linear layer and a submanifold convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 6)
        self.conv = SubmanifoldConv3d(6, 5)

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        features = self.linear(torch.stack(tuple(inputs)).flatten(0, -2))
        return self.conv(SparseTensor(features, self.voxels, (4, 4, 4), 1)).features


def test_sparse_convolution_counts_existing_pairs_only() -> None:
    model = Probe()
    grid = torch.tensor([(0, *xyz) for xyz in itertools.product(range(4), repeat=3)])
    model.voxels = grid[torch.randperm(64)[:30].sort().values]
    neighbours = (model.voxels[:, None, 1:] - model.voxels[None, :, 1:]).abs().amax(-1) <= 1
    cost = count_complexity(model, dict(inputs=[torch.randn(30, 4)]))
    assert cost.parameters == (4 * 6 + 6 + 5 * 27 * 6,) * 2
    assert cost.macs == 30 * 4 * 6 + int(neighbours.sum()) * 6 * 5
    assert cost.macs_by_module == {'linear': 30 * 4 * 6, 'conv': int(neighbours.sum()) * 6 * 5}
    assert model.training and model.conv.backend == 'auto'


@pytest.mark.parametrize('finds_modules', [True, False])
def test_modules_are_named_to_a_counter_that_does_not_find_them(finds_modules: bool, monkeypatch) -> None:
    """torch before 2.3 counts by module only what it is given; torch since then warns when given anything."""
    named = []

    class Counter(complexity.flop_counter.FlopCounterMode):
        def __init__(self, mods=None, **kwargs) -> None:
            named.append(mods)
            super().__init__(**kwargs)

    tracker = complexity.flop_counter.ModuleTracker
    stand_in = SimpleNamespace(FlopCounterMode=Counter, **({'ModuleTracker': tracker} if finds_modules else {}))
    monkeypatch.setattr(complexity, 'flop_counter', stand_in)
    model = Probe()
    model.voxels = torch.zeros(1, 4, dtype=torch.long)
    count_complexity(model, dict(inputs=[torch.randn(1, 4)]))
    assert named == [None if finds_modules else model]


def test_simulated_sweep_is_a_sweep() -> None:
    sweep = simulated_sweep(34688, 5)
    assert sweep.shape == (34688, 5) and sweep.isfinite().all()
    assert torch.equal(sweep, simulated_sweep(34688, 5))
    assert sweep[:, :2].norm(dim=1).max() < 50 and sweep[:, 2].min() == pytest.approx(-1.84)
    voxels = torch.unique((sweep[:, :3] / 0.1).floor(), dim=0)
    assert 5_000 < len(voxels) < 34_688  # several points share a voxel near the sensor, as in a real sweep


def test_benchmark_counts_and_repeats() -> None:
    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))
            self.seen: list[int] = []

        def test_step(self, data: int) -> None:
            self.seen.append(data)

    model, reports = Slow(), []
    result = benchmark_inference(model, [1, 2, 3], num_samples=5, warmup=2, report=lambda *row: reports.append(row))
    assert model.seen == [1, 2, 3, 1, 2, 3, 1]
    assert [done for done, _ in reports] == [1, 2, 3, 4, 5] and result['samples'] == 5
    latency = result['latency_ms']
    assert result['samples_per_second'] == pytest.approx(1e3 / latency['mean'], rel=1e-6)
    assert 0 < latency['median'] <= latency['p95'] and result['peak_memory_mb'] > 50
    with pytest.raises(ValueError, match='test dataset is empty'):
        benchmark_inference(model, [], num_samples=1)
