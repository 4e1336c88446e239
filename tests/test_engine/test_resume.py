"""N epochs straight equal k epochs and then N-k resumed ones, to the bit."""

from __future__ import annotations

import pytest
import torch
from mmengine.runner import Runner

from mmfusion_plugin.engine.hooks import ReproducibleHook

ITER_BASED = dict(
    train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=14, val_interval=5),
    param_scheduler=[dict(type='CosineAnnealingLR', eta_min=1e-3, by_epoch=False)],
    train_dataloader=dict(sampler=dict(type='InfiniteSampler', shuffle=True)),
    default_hooks=dict(checkpoint=dict(by_epoch=False, interval=3, save_best=None)),
)


def state(runner: Runner) -> dict:
    """Everything that has to be equal: weights and statistics, optimizer, schedulers, log without clock readings."""
    logs = {
        name: buffer.data[0].tolist()
        for name, buffer in runner.message_hub.log_scalars.items()
        if not name.endswith('time')
    }
    return dict(
        weights=runner.model.state_dict(),
        optimizer=runner.optim_wrapper.state_dict(),
        schedulers=[scheduler.state_dict() for scheduler in runner.param_schedulers],
        logs=logs,
        place=(runner.epoch, runner.iter),
    )


def assert_same(one, other, where: str = 'state') -> None:
    """Compare nested containers; tensors with ``torch.equal``."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other)):
            assert_same(*pair, f'{where}[{index}]')
    else:
        assert one == other, where


@pytest.mark.parametrize('workers, persistent', [(0, False), (2, False), (2, True)])
def test_resumed_epochs_are_bitwise(toy_runner, workers: int, persistent: bool) -> None:
    loader = dict(train_dataloader=dict(num_workers=workers, persistent_workers=persistent))
    straight = toy_runner('straight', **loader)
    straight.train()
    first = toy_runner('stopped', **loader, default_hooks=dict(stop=dict(type='StopHook', after_epochs=2)))
    first.train()
    assert first.epoch == 2
    resumed = toy_runner('stopped', **loader, resume=True)
    resumed.train()
    assert_same(state(straight), state(resumed))


def test_resume_without_a_seed_in_the_config(toy_runner) -> None:
    """mmengine then draws a seed: the resumed run must go on with that of the first, in its sampler too."""
    first = toy_runner(
        'stopped', randomness=dict(seed=None), default_hooks=dict(stop=dict(type='StopHook', after_epochs=2))
    )
    first.train()
    path = first.message_hub.get_info('last_ckpt')
    ends = []
    for name in 'ab':
        resumed = toy_runner(name, randomness=dict(seed=None), resume=True, load_from=path)
        resumed.train()
        ends.append(state(resumed))
        assert resumed.seed == first.seed
        assert resumed.train_dataloader.sampler.seed == first.train_dataloader.sampler.seed
    for logged in ('train/loss', 'train/lr', 'val/score'):
        assert_same(ends[0]['logs'][logged], ends[1]['logs'][logged])
    assert_same(ends[0]['weights'], ends[1]['weights'])


def test_resume_inside_an_epoch(toy_runner) -> None:
    """Checkpoints by iteration: the interrupted epoch goes on at its next batch."""
    hooks = dict(checkpoint=dict(by_epoch=False, interval=3, save_best=None))
    straight = toy_runner('straight', default_hooks=hooks)
    straight.train()
    first = toy_runner('stopped', default_hooks=dict(hooks, stop=dict(type='StopHook', after_iters=6)))
    with pytest.raises(KeyboardInterrupt):
        first.train()
    resumed = toy_runner('stopped', default_hooks=hooks, resume=True)
    resumed.train()
    assert_same(state(straight), state(resumed))


@pytest.mark.parametrize('workers, persistent', [(0, False), (2, False), (1, True)])
def test_resume_iteration_based(toy_runner, workers: int, persistent: bool) -> None:
    loader = dict(ITER_BASED['train_dataloader'], num_workers=workers, persistent_workers=persistent)
    cfg = dict(ITER_BASED, train_dataloader=loader)
    straight = toy_runner('straight', **cfg)
    straight.train()
    options = dict(
        cfg, default_hooks=dict(ITER_BASED['default_hooks'], stop=dict(type='StopHook', after_iters=6))
    )
    with pytest.raises(KeyboardInterrupt):
        toy_runner('stopped', **options).train()
    resumed = toy_runner('stopped', **cfg, resume=True)
    resumed.train()
    assert_same(state(straight), state(resumed))


def test_neither_workers_nor_validation_change_training(toy_runner) -> None:
    runs = [
        toy_runner('plain'),
        toy_runner('workers', train_dataloader=dict(num_workers=2, persistent_workers=True)),
        toy_runner('rarely_validated', train_cfg=dict(val_interval=4)),
    ]
    for runner in runs:
        runner.train()
    for runner in runs[1:]:
        assert_same(runs[0].model.state_dict(), runner.model.state_dict())


def test_epochs_and_seeds_draw_different_samples(toy_runner) -> None:
    """The other half of the promise: randomness is repeatable, not absent."""
    runner, other = toy_runner('one'), toy_runner('other', randomness=dict(seed=4))
    for each in (runner, other):
        next(hook for hook in each.hooks if isinstance(hook, ReproducibleHook)).before_train(each)
    dataset = runner.train_dataloader.dataset

    def epoch(runner: Runner, number: int) -> dict:
        runner.train_dataloader.sampler.set_epoch(number)
        batches = [batch for batch in runner.train_dataloader]
        return {
            sample.sample_idx: values
            for batch in batches
            for values, sample in zip(batch['inputs'], batch['data_samples'])
        }

    first, again, second, reseeded = epoch(runner, 0), epoch(runner, 0), epoch(runner, 1), epoch(other, 0)
    assert len(first) == len(dataset)
    for index in first:
        assert torch.equal(first[index], again[index])
        assert not torch.equal(first[index], second[index])
        assert not torch.equal(first[index], reseeded[index])
    noise = torch.stack([first[index] - torch.sin(torch.arange(8.0) * (index + 1)) for index in first])
    assert len(noise.unique(dim=0)) == len(first)


def test_loading_weights_is_not_resuming(toy_runner) -> None:
    first = toy_runner('first', train_cfg=dict(max_epochs=1))
    first.train()
    loaded = toy_runner('second', load_from=first.message_hub.get_info('last_ckpt'), train_cfg=dict(max_epochs=1))
    loaded.train()
    assert (loaded.epoch, loaded.iter) == (1, 4)
    assert len(loaded.message_hub.get_scalar('train/loss').data[0]) == 4
