"""Checkpoints that survive a kill at any moment and open without trusting them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmfusion_plugin.files import PARTIAL_SUFFIX, commit, write_text

from ..plain_state import restore_history, to_plain


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` (same arguments), safe against kills, full disks and untrusted readers.

    - A checkpoint is written beside its final name, flushed to the disk, reopened, and only then renamed. The pointer
      ``last_checkpoint`` follows the same way. Outdated and formerly best checkpoints go last, so that at each instant
      the pointer names a complete file.
    - It holds tensors, numbers, strings and plain containers only: ``torch.load(..., weights_only=True)`` needs no
      list of allowed classes.

    Storage other than the local disk (``out_dir='s3://...'``) keeps mmengine's way of writing.
    """

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder as mmengine does, and sweep up what a killed run left half-written."""
        super().before_train(runner)
        self._stale: list[str] = []
        if is_main_process() and self._is_local():
            Path(self.out_dir).mkdir(parents=True, exist_ok=True)
            for leftover in Path(self.out_dir).glob(f'*.pth{PARTIAL_SUFFIX}'):
                leftover.unlink()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make the content plain, in place."""
        plain = to_plain(checkpoint)
        checkpoint.clear()
        checkpoint.update(plain)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give mmengine's resume the objects it expects in place of their plain forms."""
        if 'message_hub' not in checkpoint:
            return
        hub = checkpoint['message_hub']
        if isinstance(hub, dict):
            hub['log_scalars'] = restore_history(hub['log_scalars'])
        if runner._resume:  # resume() compares pickles, which differ between a list and the tuple that it was
            current = getattr(runner.train_dataloader.dataset, 'metainfo', None)
            saved = checkpoint.get('meta', {}).get('dataset_meta')
            if pickle.dumps(to_plain(current)) == pickle.dumps(to_plain(saved)):
                checkpoint['meta']['dataset_meta'] = current

    def _is_local(self) -> bool:
        return self.file_client_args is None and isinstance(self.file_backend, LocalBackend)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save the checkpoint of ``step`` and point to it; replaces the unsafe order of mmengine's hook."""
        if not self._is_local():
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        if self.max_keep_ckpts > 0:
            if step not in self.keep_ckpt_ids:
                if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                    outdated = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                    self._stale.append(os.path.join(self.out_dir, outdated))
                self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = os.path.join(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        self._save_file(
            runner,
            name,
            meta=meta,
            by_epoch=self.by_epoch,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            **self.args,
        )
        if is_main_process():
            write_text(os.path.join(runner.work_dir, 'last_checkpoint'), self.last_ckpt)
            self._remove_stale()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save what is best by now; the formerly best file goes only when the new one is complete."""
        if not self.save_best or not self._is_local():
            super()._save_best_checkpoint(runner, metrics)
            return
        if 'auto' in self.key_indicators:
            self._init_rule(self.rules, [next(iter(metrics))])
        time = runner.epoch if self.by_epoch else runner.iter
        improved = [key for key in self.key_indicators if self._is_best(runner, key, metrics)]
        for key in improved:
            self._save_best(runner, key, metrics[key], time)
        if improved and self.last_ckpt is not None:  # so that a resumed run knows the best score and file
            self._save_checkpoint_with_step(runner, time, dict(epoch=runner.epoch, iter=runner.iter))
        elif is_main_process():
            self._remove_stale()

    def _is_best(self, runner: Runner, key: str, metrics: dict[str, Any]) -> bool:
        if key not in metrics:
            raise KeyError(f'save_best={key!r} is not among the metrics {sorted(metrics)}')
        rule = self.rules[self.key_indicators.index(key)]
        best = runner.message_hub.get_info(self._info_key('best_score', key), self.init_value_map[rule])
        return metrics[key] is not None and self.is_better_than[key](metrics[key], best)

    def _save_best(self, runner: Runner, key: str, score: float, time: int) -> None:
        name = f'best_{key}_{self.filename_tmpl.format(time)}'.replace('/', '_')
        path, former = os.path.join(self.out_dir, name), self._best_path(key)
        if former and former != path:
            self._stale.append(former)
        runner.message_hub.update_info(self._info_key('best_score', key), score)
        runner.message_hub.update_info(self._info_key('best_ckpt', key), path)
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[key] = path
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        self._save_file(runner, name, meta=meta, by_epoch=False, save_optimizer=False, save_param_scheduler=False)
        runner.logger.info(f'Best {key} so far, {score:0.4f}: saved to {name}')

    def _best_path(self, key: str) -> str | None:
        return self.best_ckpt_path if len(self.key_indicators) == 1 else self.best_ckpt_path_dict.get(key)

    def _info_key(self, prefix: str, key: str) -> str:
        return prefix if len(self.key_indicators) == 1 else f'{prefix}_{key}'

    def _save_file(self, runner: Runner, name: str, **kwargs: Any) -> None:
        """Let the runner (its main process) write ``name`` beside its place, check it, and move it there."""
        final = os.path.join(self.out_dir, name)
        partial = final + PARTIAL_SUFFIX
        try:
            runner.save_checkpoint(self.out_dir, name + PARTIAL_SUFFIX, backend_args=self.backend_args, **kwargs)
            if is_main_process():
                torch.load(partial, map_location='cpu', weights_only=True, mmap=True)
                commit(partial, final)
        except OSError as error:
            Path(partial).unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f'cannot save checkpoint {final} ({error.strerror}); earlier checkpoints are intact: free disk space '
                'or set default_hooks.checkpoint.out_dir, then go on with --resume',
            ) from error

    def _remove_stale(self) -> None:
        for path in self._stale:
            Path(path).unlink(missing_ok=True)
        self._stale.clear()

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        """Write a copy that holds ``published_keys`` only, named by the first digits of its hash."""
        checkpoint = torch.load(ckpt_path, map_location='cpu', weights_only=True)
        kept = {key: value for key, value in checkpoint.items() if key in self.published_keys}
        partial = f'{os.path.splitext(ckpt_path)[0]}.pth{PARTIAL_SUFFIX}'
        torch.save(kept, partial)
        final = f'{os.path.splitext(ckpt_path)[0]}-{_sha256(partial)[:8]}.pth'
        commit(partial, final)
        runner.logger.info(f'Published {sorted(kept)} of {ckpt_path} as {final}')


def _sha256(path: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
