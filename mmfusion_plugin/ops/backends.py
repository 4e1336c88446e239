"""What the optional libraries behind the ops can do here. An installed one may still be compiled without CUDA."""

from __future__ import annotations

import functools
from types import ModuleType

import torch


@functools.lru_cache(maxsize=None)
def mmcv_runs_on(device: torch.device) -> bool:
    """Whether mmcv is installed with kernels that run on ``device``; found out by running a small one, once."""
    try:
        from mmcv.ops import nms

        nms(torch.zeros(1, 4, device=device), torch.ones(1, device=device), iou_threshold=0.5)
    except (ImportError, RuntimeError):
        return False
    return True


@functools.lru_cache(maxsize=None)
def spconv_runs_on(device: torch.device) -> bool:
    """Whether spconv is installed and was built for ``device``."""
    try:
        load_spconv()
        from spconv.cppconstants import CPU_ONLY_BUILD
    except ImportError:
        return False
    return device.type == 'cpu' or not CPU_ONLY_BUILD


def load_spconv() -> ModuleType:
    """Import ``spconv.pytorch`` so that it also runs backward without CUDA.

    There its CPU wheel (seen in 2.3.8) asks CUDA for a stream, which its CPU kernels then ignore.

    Raises:
        ModuleNotFoundError: spconv is not installed.
    """
    import spconv.pytorch
    import spconv.pytorch.ops

    if not torch.cuda.is_available():
        spconv.pytorch.ops.get_current_stream = lambda: 0
    return spconv.pytorch
