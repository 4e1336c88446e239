"""A training loader without a batch is refused before anything is saved."""

from __future__ import annotations

import pytest

GUARD = dict(default_hooks=dict(guard=dict(type='LoaderGuardHook')))


def test_epochs_over_nothing_are_refused(toy_runner, tmp_path):
    runner = toy_runner('empty', **GUARD, train_dataloader=dict(batch_size=1000, drop_last=True))
    with pytest.raises(ValueError, match=r'no batch: \d+ training samples for batches of 1000'):
        runner.train()
    assert not list((tmp_path / 'empty').rglob('*.pth'))


def test_a_short_epoch_is_fine(toy_runner):
    runner = toy_runner('short', **GUARD, train_dataloader=dict(batch_size=1000, drop_last=False))
    runner.train()
    assert runner.iter == runner.epoch > 0
