"""How fast a model predicts, and how much memory it takes."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from typing import Any, Callable, Dict, Iterable, List

import torch
from mmengine.model import BaseModel
from mmengine.runner import autocast


def benchmark_inference(
    model: BaseModel,
    batches: Iterable[Dict[str, Any]],
    num_samples: int,
    warmup: int = 5,
    amp: bool = False,
    report: Callable[[int, float], None] = lambda done, rate: None,
) -> Dict[str, Any]:
    """Time ``model.test_step`` sample by sample, without the loading of data.

    Args:
        model: In evaluation mode, on the device to measure.
        batches: Batches of one sample as the data loader gives them; begun anew when they run out.
        num_samples: How many to time.
        warmup: Untimed ones before.
        amp: Predict in mixed precision (float16 on CUDA, bfloat16 on a CPU).
        report: Called after each timed sample with their number and the rate so far in samples a second.

    Returns:
        ``samples``, ``samples_per_second``, ``latency_ms`` (mean, median, p95), ``data_ms`` (mean time that a sample
        was waited for), ``peak_memory_mb`` (of CUDA's allocator, or resident in this process on a CPU) and ``device``.
    """
    device = next(model.parameters()).device
    latencies: List[float] = []
    waits: List[float] = []
    stream = _repeat(batches)
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    for index in range(warmup + num_samples):
        begin = time.perf_counter()
        data = next(stream)
        loaded = _now(device)
        with torch.no_grad(), autocast(enabled=amp):
            model.test_step(data)
        done = _now(device)
        if index >= warmup:
            waits.append(loaded - begin)
            latencies.append(done - loaded)
            report(len(latencies), len(latencies) / sum(latencies))
    ranked = sorted(latencies)
    return dict(
        samples=num_samples,
        samples_per_second=num_samples / sum(latencies),
        latency_ms=dict(
            mean=1e3 * statistics.fmean(latencies),
            median=1e3 * statistics.median(latencies),
            p95=1e3 * ranked[min(num_samples - 1, int(0.95 * num_samples))],
        ),
        data_ms=1e3 * statistics.fmean(waits),
        peak_memory_mb=_peak_memory(device) / 2**20,
        device=torch.cuda.get_device_name(device)
        if device.type == 'cuda'
        else f'cpu, {torch.get_num_threads()} threads',
    )


def _repeat(batches: Iterable[Dict[str, Any]]) -> Iterable[Dict[str, Any]]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError('the test dataset is empty: check ann_file and data_root of test_dataloader.dataset')


def _now(device: torch.device) -> float:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024  # kilobytes on Linux
