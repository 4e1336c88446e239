"""Training on no batch at all must not pass for a training."""

from __future__ import annotations

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner


@HOOKS.register_module()
class LoaderGuardHook(Hook):
    """Refuse a training loader without a batch: mmengine would count epochs over nothing and save untrained weights."""

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Look at the loader.

        Raises:
            ValueError: An epoch has no batch.
        """
        loader = runner.train_dataloader
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and not len(loader):
            samples = len(loader.dataset)
            raise ValueError(
                f'an epoch has no batch: {samples} training samples for batches of {loader.batch_size} (drop_last='
                f'{loader.drop_last}): set train_dataloader.batch_size to {max(1, samples)} or less'
            )
