"""The report of a test is written by the main process alone."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from mmdet3d.registry import HOOKS
from mmengine.logging import MMLogger

MODULE = 'mmfusion_plugin.engine.hooks.main_process_logger_hook'


@pytest.mark.parametrize('main', [True, False])
def test_one_process_writes(main, tmp_path, monkeypatch):
    monkeypatch.setattr(f'{MODULE}.is_main_process', lambda: main)
    hook = HOOKS.build(dict(type='MainProcessLoggerHook'))
    hook.json_log_path = 'report.json'
    log = SimpleNamespace(get_log_after_epoch=lambda *args, **kwargs: ({'miou': 0.25}, 'miou: 0.25'))
    runner = SimpleNamespace(
        log_processor=log, test_dataloader=[0, 1], log_dir=tmp_path, logger=MMLogger.get_instance('main_process_logger')
    )
    hook.after_test_epoch(runner, {'miou': 0.25})
    written = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
    assert written == ([{'miou': 0.25}] if main else [])
