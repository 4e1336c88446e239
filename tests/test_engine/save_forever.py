"""Run by test_safe_checkpoint: saves checkpoints with SafeCheckpointHook until it is killed.

For each line on stdin it forks a child (forking spares importing torch anew), prints the child's id, ``saved`` after
the child's first checkpoint, and ``dead`` when the child has been killed.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from types import SimpleNamespace

import torch
from mmengine.fileio import LocalBackend
from mmengine.logging import MessageHub

from mmfusion_plugin.engine.hooks import SafeCheckpointHook


class Runner:
    """What the hook needs of a runner; writes as mmengine's does, through memory and an unprotected ``open``."""

    epoch = iter = 0

    def __init__(self, work_dir: str) -> None:
        self.work_dir = work_dir
        self.message_hub = MessageHub.get_instance('save_forever')
        self.logger = SimpleNamespace(info=lambda text: None)
        self.step = 0

    def save_checkpoint(self, out_dir: str, filename: str, *args, meta: dict, **kwargs) -> None:
        content = dict(meta=meta, step=meta['epoch'], weights=torch.full((500_000,), float(meta['epoch'])))
        stream = io.BytesIO()
        torch.save(content, stream)
        LocalBackend().put(stream.getvalue(), os.path.join(out_dir, filename))


def save_until_killed(work_dir: str, report) -> None:
    runner = Runner(work_dir)
    hook = SafeCheckpointHook(interval=1, max_keep_ckpts=1)
    hook.before_train(runner)
    step = 0
    while True:
        step += 1
        hook._save_checkpoint_with_step(runner, step, meta=dict(epoch=step, iter=step))
        if step == 1:
            report('saved')


def main() -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # stdout is for the test

    def report(text: object) -> None:
        print(text, flush=True)

    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            save_until_killed(sys.argv[1], lambda text: os.write(1, f'{text}\n'.encode()))
        report(child)
        os.waitpid(child, 0)
        report('dead')


if __name__ == '__main__':
    main()
