"""The report of a distributed test is written by one process."""

from __future__ import annotations

from typing import Dict, Optional

from mmdet3d.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner


@HOOKS.register_module()
class MainProcessLoggerHook(LoggerHook):
    """mmengine's ``LoggerHook``, except that only the main process writes the JSON report of a test.

    mmengine writes it from every process into the same file: where times differ in their number of digits, the end of
    a longer report stays behind a shorter one, and the file is no JSON any more.
    """

    def after_test_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Log and write the metrics, in the main process; all processes hold the same."""
        if is_main_process():
            super().after_test_epoch(runner, metrics)
