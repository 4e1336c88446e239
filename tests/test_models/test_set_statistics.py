"""SetStatistics: two sets through one layer, as through two layers with common weights."""

from __future__ import annotations

import torch
from torch import nn

from mmfusion_plugin.models.layers.set_statistics import SetStatistics, norms_of


def test_two_sets_are_kept_apart():
    torch.manual_seed(0)
    shared, alone = (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for _ in range(2))
    alone.load_state_dict(shared.state_dict())
    statistics = SetStatistics(shared)
    first, second = torch.randn(50, 3), 7 + 3 * torch.randn(60, 3)
    for _ in range(3):
        shared(first)
        with statistics.used_in(shared):
            shared(second)
        alone(first)
    torch.testing.assert_close(dict(shared.named_buffers()), dict(alone.named_buffers()))
    only = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    only.load_state_dict({**only.state_dict(), **dict(shared.named_parameters())})
    for _ in range(3):
        only(second)
    for name, buffer in only[1].named_buffers():
        torch.testing.assert_close(getattr(statistics.kept[0], name), buffer)


def test_they_are_saved_moved_and_put_back_after_an_error():
    layers = nn.Sequential(nn.BatchNorm1d(2))
    statistics = SetStatistics(layers)
    assert len(norms_of(layers)) == 1
    assert set(statistics.state_dict()) == {f'kept.0.{name}' for name in dict(layers[0].named_buffers())}
    before = layers[0].running_mean
    try:
        with statistics.used_in(layers):
            assert layers[0].running_mean is not before
            raise KeyError
    except KeyError:
        pass
    assert layers[0].running_mean is before
    assert statistics.double().kept[0].running_mean.dtype == torch.float64
