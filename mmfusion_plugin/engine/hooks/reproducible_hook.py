"""Resuming to the bit: a resumed run draws the random numbers that the uninterrupted one would have drawn."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import BatchSampler, Sampler

from ..seeding import SeededFetch, VisitSampler, seed_everything

_EPOCH, _ITERATION, _SAMPLE = range(3)  # separate streams of random numbers that share the run's seed


@HOOKS.register_module()
class ReproducibleHook(Hook):
    """Make a run repeatable, and resumable to the bit (on a CPU, or with deterministic CUDA kernels).

    Stock mmengine saves no random state, so that a resumed run draws other augmentations and other dropout masks. Here
    none has to be saved: each training iteration starts from a state derived from (seed, iteration, rank), and each
    sample is loaded under a state derived from (seed, epoch, its index). It follows that

    - k epochs and then N-k resumed ones equal N epochs;
    - samples do not depend on ``num_workers``, on persistent workers, or on how many processes share the data;
    - validating more or less often does not change the training;
    - an epoch that was interrupted goes on at its next batch, where checkpoints are saved by iteration
      (``by_epoch=False``) in an epoch-based loop. Gradients that wait in an unfinished accumulation are not saved.

    mmengine builds the sampler before it resumes the seed; this hook hands the resumed one to the sampler as well.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._resumed: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Install the seeded way of fetching samples, at the place where the run stands."""
        loader = runner.train_dataloader
        if self._resumed.get('sampler_seed') is not None:
            loader.sampler.seed = self._resumed['sampler_seed']
        loader.dataset.__getitems__ = SeededFetch(loader.dataset, runner.seed, _SAMPLE)
        if loader.batch_sampler is not None:
            sampler = _from_its_start(loader.batch_sampler.sampler)
            loader.batch_sampler.sampler = VisitSampler(sampler, self._samples_to_skip(runner))
        iterator = getattr(runner.train_loop, 'dataloader_iterator', None)
        if iterator is not None:  # an iteration-based loop began to fetch when it was built: let it begin again
            runner.train_loop.dataloader_iterator = type(iterator)(loader)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the epoch from its own random state, whatever ran before it."""
        seed_everything(runner.seed, _EPOCH, runner.epoch, get_rank())

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start the iteration from its own random state, whatever loading its batch has drawn."""
        seed_everything(runner.seed, _ITERATION, runner.iter, get_rank())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the sampler's seed, which may differ from the run's."""
        checkpoint['meta']['sampler_seed'] = getattr(runner.train_dataloader.sampler, 'seed', None)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the sampler's seed when a run is resumed (not when weights are loaded)."""
        if runner._resume:
            self._resumed['sampler_seed'] = checkpoint.get('meta', {}).get('sampler_seed')

    def _samples_to_skip(self, runner: Runner) -> int:
        """Samples of the current epoch that this process has trained on already."""
        loop, loader = runner.train_loop, runner.train_dataloader
        if not isinstance(loop, EpochBasedTrainLoop):
            return 0  # mmengine itself advances iteration-based loops
        batches = runner.iter - runner.epoch * len(loader)
        if batches <= 0:
            return 0
        if batches > len(loader) or type(loader.batch_sampler) is not BatchSampler:
            runner.logger.warning(
                f'Resumed {batches} iterations into epoch {runner.epoch + 1} of {len(loader)}: the epoch starts again, '
                'because the number of batches has changed or a custom batch sampler cannot be advanced'
            )
            return 0
        return batches * loader.batch_size


def _from_its_start(sampler: Sampler) -> Sampler:
    """The sampler, none of whose indices have been fetched ahead.

    An ``InfiniteSampler`` has one generator for its whole life: begun by an iterator that is then given up, it goes on
    in the middle, or is closed with the iterator and yields nothing more.
    """
    if type(sampler) is not InfiniteSampler:
        return sampler
    return InfiniteSampler(sampler.dataset, sampler.shuffle, sampler.seed)
