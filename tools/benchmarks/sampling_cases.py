"""Steps of a diffusion model and how long they take, for ``diffusion.py``."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from typing import Any, Callable, Dict, List, Optional

import torch
from torch import Tensor

from mmfusion_plugin.models.diffusion import IC3D, SamplingOptions
from mmfusion_plugin.models.diffusion.sampling import draw_samples, guided_noise

WAYS = ('w = 0', 'guided, one pass', 'guided, two passes')


class _Enough(Exception):
    """As many steps are timed as are wanted."""


def noise_in(denoiser: Callable[..., Tensor], way: str, embedding: Optional[Tensor], guidance: float) -> Callable:
    """Function of x and t to the noise, see ``WAYS``; the embedding is (B, D), or None without a condition."""
    if way == WAYS[0]:
        return lambda x, t: denoiser(x, t, embedding)
    if way == WAYS[1]:
        return lambda x, t: guided_noise(denoiser, x, t, embedding, guidance)
    nothing = torch.ones(len(embedding), dtype=torch.bool, device=embedding.device)
    return lambda x, t: (1 + guidance) * denoiser(x, t, embedding) - guidance * denoiser(x, t, embedding, nothing)


@torch.no_grad()
def measure(model: IC3D, way: str, options: SamplingOptions, batch: int, timed: Optional[int]) -> Dict[str, Any]:
    """Draw shapes and take the time; one pass of the network before warms up.

    Args:
        model: On the device to measure.
        way: See ``WAYS``.
        options: Sampler and steps.
        batch: Shapes drawn together.
        timed: Steps that are timed before the drawing ends; None, or more than there are, takes all.

    Returns:
        ``steps``, ``timed``, ``step_s`` (median), ``shape_s`` (of all steps, by the median where not all are timed)
        and ``peak_mb`` (of CUDA's allocator in this call, or of the process so far).
    """
    like, side = next(model.denoiser.parameters()), model.voxel_size
    steps, width, device = options.steps or model.diffusion.num_steps, model.denoiser.embed_dim, like.device
    timed = steps if timed is None else min(timed, steps)
    predict = noise_in(model.denoiser, way, like.new_ones(batch, width) if width else None, model.sampling.guidance)
    stamps: List[float] = []

    def stamped(x: Tensor, t: Tensor) -> Tensor:
        """Note when a step begins."""
        stamps.append(_now(device))
        if len(stamps) > timed:
            raise _Enough
        return predict(x, t)

    def noise(_: int) -> Tensor:
        """Of any step."""
        return torch.randn(batch, model.denoiser.in_channels, side, side, side).to(like)

    if like.is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    predict(noise(0), torch.zeros(batch, dtype=torch.long, device=device))
    try:
        draw_samples(stamped, model.diffusion, options, noise)
        stamps.append(_now(device))
    except _Enough:
        pass
    each = [after - before for before, after in zip(stamps, stamps[1:])]
    total = sum(each) if timed == steps else statistics.median(each) * steps
    return dict(steps=steps, timed=timed, step_s=statistics.median(each), shape_s=total / batch,
                peak_mb=_peak_memory(device) / 2**20)  # fmt: skip


def _now(device: torch.device) -> float:
    """Seconds, once the device is idle."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)
