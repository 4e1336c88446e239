"""A loss that is not finite must not reach the weights, and the samples that caused it must be known."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

_PATH_KEYS = ('sample_idx', 'token', 'lidar_path', 'img_path')
_SKIPPED = 'nan_guard_skipped'


@HOOKS.register_module()
class NanGuardHook(Hook):
    """Check the loss of every iteration before it is back-propagated.

    Args:
        action: ``'stop'`` raises ``FloatingPointError`` naming the loss terms and the samples of the batch, with the
            weights as they were before it. ``'skip'`` leaves the iteration out on all processes, logs the same text,
            and counts; the model's buffers go back too, since the forward pass has put what is not finite into the
            running statistics of its batch normalisations.
        max_skipped: With ``'skip'``, how many iterations may be left out before the run stops after all. The count is
            part of the checkpoint.
    """

    priority = 'VERY_HIGH'

    def __init__(self, action: str = 'stop', max_skipped: int = 10) -> None:
        if action not in ('stop', 'skip'):
            raise ValueError(f"action must be 'stop' or 'skip', got {action!r}")
        self.action = action
        self.max_skipped = max_skipped
        self._batch: Any = None
        self._terms: dict[str, torch.Tensor] = {}
        self._buffers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Put the check between the model's loss and the optimizer."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.parse_losses = partial(self._parse_losses, model.parse_losses)
        optimizers = runner.optim_wrapper
        for wrapper in optimizers.values() if isinstance(optimizers, OptimWrapperDict) else [optimizers]:
            wrapper.update_params = partial(self._update_params, runner, wrapper.update_params)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Remember the batch, to name its samples, and the buffers, to undo the forward pass."""
        self._batch = data_batch
        if self.action == 'skip':
            self._buffers = [(buffer, buffer.clone()) for buffer in runner.model.buffers()]

    def after_train(self, runner: Runner) -> None:
        """Take the check out again."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        vars(model).pop('parse_losses', None)
        optimizers = runner.optim_wrapper
        for wrapper in optimizers.values() if isinstance(optimizers, OptimWrapperDict) else [optimizers]:
            vars(wrapper).pop('update_params', None)

    def _parse_losses(self, parse_losses: Callable, losses: dict) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        total, self._terms = parse_losses(losses)
        return total, self._terms

    def _update_params(self, runner: Runner, update_params: Callable, loss: torch.Tensor, *args: Any, **kwargs: Any):
        finite = torch.isfinite(loss.detach()).all()
        if not finite and self.action == 'stop':
            raise FloatingPointError(self._report(runner))
        everywhere = finite.float()
        if self.action == 'skip':
            all_reduce(everywhere, op='min')
        if everywhere:
            update_params(loss, *args, **kwargs)
            return
        for buffer, former in self._buffers:
            buffer.copy_(former)
        skipped = runner.message_hub.get_info(_SKIPPED, 0) + 1
        runner.message_hub.update_info(_SKIPPED, skipped)
        report = self._report(runner) if not finite else 'the loss of another process is not finite'
        if skipped > self.max_skipped:
            raise FloatingPointError(f'{report}; {skipped} iterations left out, max_skipped is {self.max_skipped}')
        runner.logger.warning(f'{report}; iteration left out, {skipped} so far')

    def _report(self, runner: Runner) -> str:
        terms = ', '.join(f'{name}={float(value):g}' for name, value in self._terms.items())
        return (
            f'loss is not finite in iteration {runner.iter + 1} of epoch {runner.epoch + 1} ({terms}) on samples '
            f'{describe_samples(self._batch)}'
        )


def describe_samples(batch: Any) -> str:
    """Name the samples of a batch by index, token and file paths, as far as their ``data_samples`` know them."""
    samples = batch.get('data_samples', []) if isinstance(batch, dict) else []
    named = [{key: sample.metainfo[key] for key in _PATH_KEYS if key in sample.metainfo} for sample in samples]
    return (
        '; '.join(' '.join(f'{key}={value}' for key, value in names.items()) or '(unnamed)' for names in named)
        or '(their data_samples carry no names)'
    )
