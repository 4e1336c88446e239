"""Small CISPs and IC3Ds as users have them, config and checkpoint, with random weights in which nothing is zero."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any, Callable

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

WIDTH, SIDE, PIXELS, STEPS = 6, 8, 16, 6
ARCH = dict(embed_dims=12, num_layers=1, num_heads=3, feedforward_channels=20)
IMAGE = dict(type='DistilledVisionTransformer', arch=ARCH, img_size=PIXELS, patch_size=8)
CISP = dict(type='CISP', image_encoder=dict(backbone=IMAGE, embed_channels=WIDTH), shape_encoder=dict(
    backbone=dict(type='VoxelViT', arch=ARCH, resolution=32, patch_size=8), embed_channels=WIDTH))  # fmt: skip
DENOISER = dict(model_channels=8, channel_mult=(1, 2), num_res_blocks=1, attention_at=(2,), num_groups=4,
                embed_dim=WIDTH, num_tokens=2, token_channels=5)  # fmt: skip
IC3D = dict(type='IC3D', denoiser=DENOISER, voxel_size=SIDE, diffusion=dict(num_steps=STEPS, beta_end=0.4),
            image_encoder=dict(type='CISPImageEncoder', backbone=IMAGE, embed_channels=WIDTH),
            data_preprocessor=dict(type='FusionDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3,
                                   bgr_to_rgb=True))  # fmt: skip
PIPELINE = [dict(type='LoadRendering', background=240, size=PIXELS), dict(type='LoadVoxelTarget'),
            dict(type='PackShapeInputs')]  # fmt: skip
UNCONDITIONAL = dict(image_encoder=None, denoiser=dict(DENOISER, embed_dim=None))
ROOT = Path(__file__).resolve().parents[2]


def write_model(
    folder: Path, model: dict, name: str, data_root: Any = 'nowhere', seed: int = 0, **dataset: Any
) -> tuple[Path, Path]:
    """Config and checkpoint."""
    data = {**dict(type='ShapeNetR2N2Dataset', data_root=str(data_root), split='cisp', part='test', num_views=3,
                   views=[0], targets=['voxels'], pipeline=PIPELINE), **dataset}  # fmt: skip
    Config(dict(default_scope='mmdet3d', model=model, test_dataloader=dict(dataset=data))).dump(folder / f'{name}.py')
    torch.save(dict(state_dict=random_model(model, seed).state_dict(), meta={}), folder / f'{name}.pth')
    return folder / f'{name}.py', folder / f'{name}.pth'


def random_model(model: dict, seed: int = 0) -> nn.Module:
    """A model whose embeddings and noise differ from input to input."""
    init_default_scope('mmdet3d')
    torch.manual_seed(seed)
    built = MODELS.build(model)
    for name, parameter in built.named_parameters():
        # The condition's are so wide that another embedding means another shape.
        nn.init.normal_(parameter, std=1.5 if '.condition.' in name else 0.25 if name.startswith('denoiser') else 0.4)
    return built.eval()


def command(tool: str, monkeypatch: Any, capsys: Any) -> Callable[..., tuple]:
    """Run a tool on the CPU; its status, output and errors."""

    def run(*arguments: object) -> tuple:
        device = () if '--device' in arguments else ('--device', 'cpu')
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments), *device])
        status = runpy.run_path(str(ROOT / tool))['main']()
        text = capsys.readouterr()
        return status, text.out, text.err

    return run
