"""Mixed precision where mmengine's ``AmpOptimWrapper`` (float16 and an accelerator) cannot work."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

import torch
from mmdet3d.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train in bfloat16 autocast, on a CPU or on CUDA.

    bfloat16 has the exponent range of float32, so that gradients do not underflow and no loss scaling is needed.
    Parameters, gradients and optimizer state stay float32.

    Args:
        loss_scale: Ignored; accepted so that a config written for ``AmpOptimWrapper`` runs unchanged.
        dtype: Ignored, for the same reason.
        **kwargs: Passed to ``mmengine.optim.OptimWrapper``.
    """

    def __init__(self, loss_scale: Any = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass of ``model`` on the device that holds its parameters."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
