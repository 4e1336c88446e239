"""A loss that is not finite never reaches the weights, and the samples behind it are named."""

from __future__ import annotations

import pytest
import torch

BROKEN = dict(train_dataloader=dict(dataset=dict(broken=5)), train_cfg=dict(max_epochs=2))


def test_stop_names_the_samples(toy_runner) -> None:
    runner = toy_runner('run', **BROKEN)
    with pytest.raises(FloatingPointError, match=r'loss_toy=nan.* on samples .*sample_idx=5 lidar_path=/sweeps/5.bin'):
        runner.train()
    assert all(torch.isfinite(value).all() for value in runner.model.parameters())


def test_skip_counts_and_goes_on(toy_runner) -> None:
    runner = toy_runner('run', **BROKEN, default_hooks=dict(nan_guard=dict(action='skip')))
    runner.train()
    assert runner.message_hub.get_info('nan_guard_skipped') == 2  # once an epoch
    assert runner.iter == 8
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())  # running statistics too


def test_skip_has_a_limit(toy_runner) -> None:
    runner = toy_runner('run', **BROKEN, default_hooks=dict(nan_guard=dict(action='skip', max_skipped=1)))
    with pytest.raises(FloatingPointError, match='2 iterations left out, max_skipped is 1'):
        runner.train()


def test_finite_losses_pass_unchanged(toy_runner) -> None:
    guarded = toy_runner('guarded')
    free = toy_runner('free', default_hooks=dict(nan_guard=dict(_delete_=True, type='StopHook')))
    for runner in (guarded, free):
        runner.train()
    for one, other in zip(guarded.model.parameters(), free.model.parameters()):
        assert torch.equal(one, other)
    assert 'update_params' not in vars(guarded.optim_wrapper) and 'parse_losses' not in vars(guarded.model)


def test_wrong_action() -> None:
    from mmfusion_plugin.engine.hooks import NanGuardHook

    with pytest.raises(ValueError, match="'stop' or 'skip', got 'ignore'"):
        NanGuardHook(action='ignore')
