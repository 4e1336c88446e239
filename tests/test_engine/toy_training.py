"""A model, a data set and a metric small enough to train in a test, with every kind of randomness that a real run has.

Configs name them after ``custom_imports = dict(imports=['toy_training'])`` with this folder on ``PYTHONPATH``.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import torch
from mmdet3d.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import nn

CONFIG = """
custom_imports = dict(imports=['mmfusion_plugin', 'toy_training'])
default_scope = 'mmdet3d'
model = dict(type='ToyModel')
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(type='ToyDataset', size=8),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(type='ToyDataset', size=5),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = dict(type='ToyMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9), clip_grad=dict(max_norm=1))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=1e-3, by_epoch=True)]
auto_scale_lr = dict(enable=False, base_batch_size=8)
default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook', interval=1, save_best='score', rule='greater'),
    reproducible=dict(type='ReproducibleHook'), nan_guard=dict(type='NanGuardHook'),
    logger=dict(type='LoggerHook', interval=1))
randomness = dict(seed=3)
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl'))
log_level = 'WARNING'
"""


@DATASETS.register_module(force=True)
class ToyDataset(torch.utils.data.Dataset):
    """Eight numbers per sample, augmented with each of the three random generators."""

    def __init__(self, size: int, augment: bool = True, broken: int | None = None) -> None:
        self.size = size
        self.augment = augment
        self.broken = broken
        self.metainfo = dict(classes=('a', 'b'), palette=[(0, 0, 0), (9, 9, 9)])

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict:
        values = torch.sin(torch.arange(8.0) * (int(index) + 1))
        if self.augment:
            values = values + 0.1 * torch.randn(8) + 0.1 * float(np.random.randn()) + 0.1 * random.random()
        if index == self.broken:
            values = values * float('nan')
        sample = BaseDataElement(metainfo=dict(sample_idx=int(index), lidar_path=f'/sweeps/{int(index)}.bin'))
        return dict(inputs=values, data_samples=sample)


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """Two layers with dropout and, on request, batch normalisation."""

    def __init__(self, dropout: float = 0.3, norm: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.layers = nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.Dropout(dropout), nn.Linear(16, 1)
        )

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        inputs = torch.stack(tuple(inputs))
        prediction = self.layers(inputs)
        if mode == 'loss':
            return dict(loss_toy=((prediction - inputs.sum(1, keepdim=True)) ** 2).mean())
        for sample, value in zip(data_samples, prediction):
            sample.set_field(float(value.detach()), 'value')
        return data_samples


@MODELS.register_module(force=True)
class ToyRowAffine(nn.Module):
    """Scale and shift of rows (N, C), in place of a norm where batch statistics must stay out of a comparison."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows * self.weight + self.bias


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """Mean of the predictions, written with what was seen to ``$TOY_OUTPUT`` when set."""

    def process(self, data_batch, data_samples) -> None:
        self.results += [(sample['sample_idx'], sample['value']) for sample in data_samples]

    def compute_metrics(self, results: list) -> dict:
        values = dict(results)
        if 'TOY_OUTPUT' in os.environ:
            Path(os.environ['TOY_OUTPUT']).write_text(json.dumps(sorted(results)))
        return dict(score=sum(values.values()) / len(values), samples=len(results))


@HOOKS.register_module(force=True)
class DumpHook(Hook):
    """Write what each process trained on to ``folder``: losses, learning rates, dtype of the first activation."""

    priority = 'LOWEST'

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / f'rank{get_rank()}.json'
        self.rows: list[dict] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        row = dict(loss=float(outputs['loss']), lr=runner.optim_wrapper.get_lr()['lr'][0], world=get_world_size())
        row['samples'] = [sample.sample_idx for sample in data_batch['data_samples']]
        self.rows.append(row)

    def after_train(self, runner) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows))


@HOOKS.register_module(force=True)
class WeightsHook(Hook):
    """Write the weights that each process ends with to ``folder``."""

    priority = 'LOWEST'

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / f'rank{get_rank()}.pth'

    def after_train(self, runner) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(runner.model.module.state_dict(), self.path)


@HOOKS.register_module(force=True)
class StopHook(Hook):
    """End a run early: cleanly after some epochs, or with an interrupt after some iterations."""

    priority = 'LOWEST'

    def __init__(self, after_epochs: int | None = None, after_iters: int | None = None) -> None:
        self.after_epochs = after_epochs
        self.after_iters = after_iters

    def after_train_epoch(self, runner) -> None:
        if runner.epoch + 1 == self.after_epochs:
            runner.train_loop.stop_training = True

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.after_iters:
            raise KeyboardInterrupt
