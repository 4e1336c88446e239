"""One process meets a loss that is not finite: all leave the iteration out together and stay equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch


@pytest.mark.slow
@pytest.mark.parametrize('max_skipped', [10, 1])
def test_one_process_of_two_has_a_broken_sample(run_script, toy_config, tmp_path: Path, max_skipped: int) -> None:
    options = {
        'model.dropout': 0.0, 'train_dataloader.dataset.broken': 5, 'train_cfg.val_interval': 9,
        'default_hooks.nan_guard.action': 'skip', 'default_hooks.nan_guard.max_skipped': max_skipped,
        'default_hooks.dump.type': 'DumpHook', 'default_hooks.dump.folder': f'{tmp_path}/dump',
        'default_hooks.weights.type': 'WeightsHook', 'default_hooks.weights.folder': f'{tmp_path}/weights',
    }  # fmt: skip
    flags = ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    command = ['dist_train.sh', toy_config, 2, '--work-dir', tmp_path / 'run', *flags]
    if max_skipped == 1:  # the second epoch exceeds it, on both processes at once: none waits for the other
        with pytest.raises(AssertionError, match='2 iterations left out, max_skipped is 1'):
            run_script(*command)
        return
    run_script(*command)
    ranks = [json.loads((tmp_path / f'dump/rank{rank}.json').read_text()) for rank in range(2)]
    assert [len(rows) for rows in ranks] == [8, 8]
    hit = [[5 in row['samples'] for row in rows] for rows in ranks]
    assert sum(map(sum, hit)) == 4 and not any(first and second for first, second in zip(*hit))
    meta = torch.load(tmp_path / 'run/epoch_4.pth', weights_only=True)
    assert meta['message_hub']['runtime_info']['nan_guard_skipped'] == 4
    weights = [torch.load(tmp_path / f'weights/rank{rank}.pth', weights_only=True) for rank in range(2)]
    for name, value in weights[0].items():
        assert torch.isfinite(value).all(), name
        if 'running' not in name:  # each process has batch statistics of its own
            assert torch.equal(value, weights[1][name]), name
