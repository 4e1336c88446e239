"""What of a config results depend on, and a short text that changes with it."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from mmengine.config import Config

from mmfusion_plugin.engine.config_files import read_config_file

# What a training and its validation depend on; the rest of a config is about testing, logging and pictures.
DECISIVE = (
    'model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg', 'optim_wrapper', 'param_scheduler',
    'auto_scale_lr', 'custom_hooks', 'randomness',
)  # fmt: skip


@functools.lru_cache(maxsize=None)
def read_config(path: Path) -> Config:
    """A config with all that it inherits, read once; not to be changed.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It has a fault.
    """
    return read_config_file(path)


def decisive_settings(cfg: Config) -> dict:
    """What a training by ``cfg``, and its validation, depend on."""
    return {key: value for key, value in cfg.to_dict().items() if key in DECISIVE}


def digest(*parts: object) -> str:
    """16 hexadecimal digits that change with ``parts``, which JSON must know."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
