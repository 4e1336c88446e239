"""A CISP of a few thousand parameters, and pairs for it."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.registry import MODELS
from torch import nn

from mmfusion_plugin.structures import ShapeSample

ARCH = dict(embed_dims=12, num_layers=2, num_heads=3, feedforward_channels=20)
IMAGE = dict(type='DistilledVisionTransformer', arch=ARCH, img_size=16, patch_size=8)
SHAPE = dict(type='VoxelViT', arch=ARCH, resolution=8, patch_size=4)
ENCODERS = dict(image_encoder=dict(backbone=IMAGE, embed_channels=6),
                shape_encoder=dict(backbone=SHAPE, embed_channels=6))  # fmt: skip


def build(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build({'type': 'CISP', **ENCODERS, **options})


def samples(count: int, **metainfo: Any) -> list[ShapeSample]:
    """The first and the last are views of one model."""
    found = []
    for number in range(count):
        meta = dict(synset='03001627', model_id=f'chair{number % max(count - 1, 1)}', img_path=f'{number}.png')
        found.append(ShapeSample(metainfo={**meta, **metainfo}, gt_voxels=torch.rand(8, 8, 8) > 0.5))
    return found
