"""Weights into a model: what does not fit is one line that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Union

from mmengine.runner import load_checkpoint
from torch import nn

from mmfusion_plugin.compat import CheckpointRefusedError, install_safe_checkpoint_loading


def load_weights(model: nn.Module, checkpoint: Union[str, Path], config: str) -> Dict[str, Any]:
    """Put all weights of a checkpoint into a model, without running any code in it; returns what the file holds.

    Args:
        model: Of the config.
        checkpoint: Path or URL.
        config: Name of the config, for messages.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointRefusedError: The file holds something else than weights, a kind of ``ValueError``.
        ValueError: It is damaged, or of another model.
    """
    install_safe_checkpoint_loading()
    try:
        return load_checkpoint(model, str(checkpoint), map_location='cpu', strict=True)
    except (RuntimeError, CheckpointRefusedError) as error:
        reason = ' '.join(str(error).split())  # mmengine's is a table of several lines
        kind = CheckpointRefusedError if isinstance(error, CheckpointRefusedError) else ValueError
        raise kind(f'{checkpoint} cannot be used with {config}: {reason}') from error
