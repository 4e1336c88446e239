"""Reading configs and building what they describe: a fault is one line that names the file and the remedy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mmdet3d.registry import MODELS
from mmengine.config import Config
from torch import nn

ENDINGS = ('.py', '.json', '.yaml', '.yml')
"""Of configs' names, as mmengine reads them."""


def read_config_file(path: str | os.PathLike, import_custom_modules: bool = True) -> Config:
    """``Config.fromfile``, with errors that name the file.

    Args:
        path: Of the config.
        import_custom_modules: Import the modules that it names under ``custom_imports``.

    Raises:
        FileNotFoundError: The config, or one that it extends, does not exist.
        ValueError: The file is no config, or one with a fault.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'config {str(path)!r} does not exist (looked from {os.getcwd()})')
    if path.suffix not in ENDINGS:
        raise ValueError(f'{path} is no config, whose name ends in {", ".join(ENDINGS)}: name the config first, the '
                         'checkpoint after it')  # fmt: skip
    with config_faults(f'{path} cannot be read as a config'):
        return Config.fromfile(str(path), import_custom_modules=import_custom_modules)


def build_model(cfg: Config) -> nn.Module:
    """The model of a config, with random weights.

    Raises:
        FileNotFoundError: Weights that the config names do not exist.
        ValueError: The config has no model, or one that cannot be built.
    """
    with config_faults(f'the model of {cfg.filename or "the config"} cannot be built'):
        return MODELS.build(cfg.model)


@contextlib.contextmanager
def config_faults(what: str) -> Iterator[None]:
    """Turn what goes wrong inside into a ``ValueError`` that begins with ``what``.

    A config is code and names classes with their arguments, so any kind of error can come of a slip in it. An
    ``OSError`` passes: it names the file that is missing.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        kind = '' if type(error) is ValueError else f'{type(error).__name__}: '
        raise ValueError(f'{what} ({kind}{" ".join(text.split())}): correct it') from error
