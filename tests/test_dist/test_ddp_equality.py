"""Two gloo processes through the real launch scripts equal one process with the doubled batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

# Out of the comparison: batch statistics and dropout masks, which are drawn per process.
COMPARABLE = {'model.dropout': 0.0, 'model.norm': False, 'default_hooks.dump.type': 'DumpHook'}


def as_flags(options: dict) -> list[str]:
    return ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]


def assert_same_training(one: dict, two: dict) -> None:
    """Weights and momentum of two checkpoints, within 1e-6."""
    assert one['meta']['iter'] == two['meta']['iter']
    for name, value in one['state_dict'].items():
        torch.testing.assert_close(two['state_dict'][name], value, rtol=0, atol=1e-6, msg=lambda m, n=name: f'{n}: {m}')
    for key, slot in one['optimizer']['state'].items():
        momentum = two['optimizer']['state'][key]['momentum_buffer']
        torch.testing.assert_close(momentum, slot['momentum_buffer'], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_two_processes_equal_one_with_the_doubled_batch(run_script, single_process, toy_config, tmp_path: Path) -> None:
    """Weights, momentum and mean loss after 4 epochs, with augmentation, shuffling and gradient clipping on."""
    one = {**COMPARABLE, 'train_dataloader.batch_size': 4, 'default_hooks.dump.folder': f'{tmp_path}/one/dump'}
    two = {**COMPARABLE, 'train_dataloader.batch_size': 2, 'default_hooks.dump.folder': f'{tmp_path}/two/dump'}
    two['note'] = '"a b c"'
    single_process(toy_config, tmp_path / 'one', **one).train()
    run_script('dist_train.sh', toy_config, 2, '--work-dir', tmp_path / 'two', *as_flags(two))
    assert_same_training(*(torch.load(tmp_path / run / 'epoch_4.pth', weights_only=True) for run in ('one', 'two')))

    single = json.loads((tmp_path / 'one/dump/rank0.json').read_text())
    ranks = [json.loads((tmp_path / f'two/dump/rank{rank}.json').read_text()) for rank in range(2)]
    assert [row['world'] for rows in ranks for row in rows] == [2] * 16 and len(single) == 8
    for row, first, second in zip(single, *ranks):
        assert sorted(row['samples']) == sorted(first['samples'] + second['samples'])
        assert (first['loss'] + second['loss']) / 2 == pytest.approx(row['loss'], abs=1e-6)
    assert "note = 'a b c'" in (tmp_path / 'two' / toy_config.name).read_text()  # quoted options arrive whole


@pytest.mark.slow
def test_distributed_test_counts_each_sample_once(
    run_script, single_process, toy_config, tmp_path: Path, monkeypatch
) -> None:
    """Five samples on two processes: the padded sixth is dropped and the metric is that of one process."""
    quiet = {'test_dataloader.dataset.augment': False}
    runner = single_process(toy_config, tmp_path / 'one', **quiet, **{'train_cfg.max_epochs': 1})
    runner.train()
    monkeypatch.setenv('TOY_OUTPUT', str(tmp_path / 'one.json'))
    runner.test()
    script = ['dist_test.sh', toy_config, tmp_path / 'one/epoch_1.pth', 2, '--work-dir', tmp_path / 'two']
    run_script(*script, *as_flags(quiet), TOY_OUTPUT=str(tmp_path / 'two.json'))
    one, two = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('one', 'two'))
    assert [index for index, _ in one] == [index for index, _ in two] == [0, 1, 2, 3, 4]
    for (_, value), (_, other) in zip(one, two):
        assert other == pytest.approx(value, abs=1e-6)  # rows of differently filled batches
