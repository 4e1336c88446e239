"""One of several gloo processes that evaluate a dataset together; started by ``test_metric_distributed.py``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch.distributed as dist
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from mmfusion_plugin.evaluation import LidarSegMetric

from . import frames

# (frames in the dataset, batch size, round_up)
CASES = [(size, batch, fill) for size in (1, 2, 5, 8) for batch in (1, 2) for fill in (True, False)]


def evaluate(size: int, batch: int, round_up: bool, shuffle: bool = False, claimed: int = -1, **kwargs) -> dict:
    """Metrics and matrix of this process after all took part."""
    metric = LidarSegMetric(**kwargs)
    metric.dataset_meta = frames.META
    sampler = DefaultSampler(range(size), shuffle=shuffle, seed=3, round_up=round_up)
    seen = []
    for numbers in DataLoader(range(size), batch_size=batch, sampler=sampler, collate_fn=list):
        seen += numbers
        metric.process(None, [frames.sample(number) for number in numbers])
    metrics = metric.evaluate(size if claimed < 0 else claimed)
    return dict(metrics=metrics, matrix=metric.confusion_matrix.tolist(), seen=seen)


def failure(call, *args, **kwargs) -> str:
    """Text of the error that a call raises on this process."""
    try:
        call(*args, **kwargs)
    except (ValueError, RuntimeError) as error:
        return f'{type(error).__name__}: {error}'
    return ''


def main(rank: int, world: int, folder: str, port: int) -> None:
    """Evaluate every case and write what this process got."""
    out = Path(folder)
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=world)
    results = dict(
        cases=[evaluate(*case) for case in CASES],
        shuffled=evaluate(5, 1, True, shuffle=True),
        missing=failure(evaluate, 5, 1, True, claimed=8),
        twice=failure(evaluate, 8, 1, True, claimed=5),
        submission=evaluate(5, 2, True, submission_prefix=str(out / 'sub'), eval_set='val')['matrix'],
    )
    (out / 'taken' / 'lidarseg' / 'val').mkdir(parents=True, exist_ok=True)
    (out / 'taken' / 'lidarseg' / 'val' / 'notes.txt').write_text('mine')
    results['refused'] = failure(evaluate, 5, 1, True, submission_prefix=str(out / 'taken'), eval_set='val')
    (out / f'rank{rank}.json').write_text(json.dumps(results))
    dist.barrier()
    # Not destroy_process_group: where the other process is gone already, gloo's clean-up sometimes waits for ever.
    os._exit(0)
