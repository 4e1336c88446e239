"""Small ReConstNets as users have them, config and checkpoint, and pictures of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

POINTS = 64
TRUNK = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
HEAD = dict(num_points=POINTS, fc_channels=16, latent_channels=8, hidden_channels=(16, 32))
MODEL = dict(type='ReConstNet', backbone=TRUNK, data_preprocessor=dict(
    type='FusionDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True))  # fmt: skip
RENDERINGS = (dict(type='LoadRendering'), dict(type='LoadViewpoint'), dict(type='LoadCloudTarget'))
PHOTOGRAPHS = (dict(type='LoadObjectImage'), dict(type='FitObject', size=64, longest=40, background=240),
               dict(type='LoadCloudTarget'))  # fmt: skip


def write_reconstnet(
    folder: Path, steps: Sequence[dict] = RENDERINGS, name: str = 'reconstnet', weights: Any = None, **head: Any
) -> tuple:
    """Config and checkpoint; random weights, of codes that differ by much from sample to sample."""
    pipeline = [*steps, dict(type='PackShapeInputs')]
    dataset = dict(type='ShapeNetR2N2Dataset', data_root='nowhere', pipeline=pipeline)
    model = dict(MODEL, head={**HEAD, **head})
    cfg = Config(dict(default_scope='mmdet3d', model=model, test_dataloader=dict(dataset=dataset)))
    cfg.dump(folder / f'{name}.py')
    init_default_scope('mmdet3d')
    if weights is None:
        torch.manual_seed(0)
        weights = MODELS.build(model).state_dict()
        for key in weights:
            if key.startswith('head.mlp') and key.endswith('weight'):
                weights[key] *= 4
    torch.save(dict(state_dict=weights, meta={}), folder / f'{name}.pth')
    return folder / f'{name}.py', folder / f'{name}.pth'


def stool(height: int = 90, width: int = 120) -> tuple:
    """A red stool before white, ``(H, W, 3)`` RGB, and its mask ``(H, W)`` bool."""
    mask = np.zeros((height, width), bool)
    mask[30:40, 30:91] = True
    mask[40:80, 34:40] = mask[40:80, 80:86] = True
    noise = np.random.default_rng(0).integers(0, 8, (height, width, 3))
    image = np.where(mask[..., None], np.array([200, 40, 30]) + noise, 250 - noise)
    return image.astype(np.uint8), mask
