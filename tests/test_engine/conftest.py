"""Fixtures for training the toy model inside the test process."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Callable

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

sys.path.insert(0, str(Path(__file__).parent))

import toy_training  # noqa: E402

import mmfusion_plugin  # noqa: E402, F401


@pytest.fixture
def toy_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Runner]:
    """``toy_runner(name, **options)``: a runner of the toy config with its work folder ``tmp_path / name``."""
    count = iter(range(1000))
    # mmengine formats the whole config anew (0.3 s) for each checkpoint; a saved text is all that these tests need.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: "model = dict(type='ToyModel')\n"))

    def build(name: str, **options) -> Runner:
        cfg = Config.fromstring(toy_training.CONFIG, file_format='.py')
        cfg.work_dir = str(tmp_path / name)
        cfg.experiment_name = f'{tmp_path.name}_{name}_{next(count)}'  # loggers and hubs are found by this name
        cfg.merge_from_dict(copy.deepcopy(options))
        return Runner.from_cfg(cfg)

    return build
