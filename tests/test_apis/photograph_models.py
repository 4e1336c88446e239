"""Small models of photographs as users have them, config and checkpoint, and photographs whose masks are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

SIDE = 48
RESIZE = dict(type='Resize', scale=(SIDE, SIDE))
PREPROCESSOR = dict(type='FusionDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
POINTS = dict(type='PixelToPoint', num_points=60, seed=0)
IMAGE = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
CLOUD = dict(type='PointNet', local_channels=(4, 5), global_channels=(6, 7), transform_channels=(5, 6),
             transform_hidden=(5,))  # fmt: skip
CLASSES = ('no thorns', 'thorns', 'unclear')


@MODELS.register_module()
class BrightPixels(nn.Module):
    """Stands in for a U-Net whose answer is known: what is brighter than middle grey is foreground."""

    def __init__(self) -> None:
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(4.0))

    def forward(self, images: Tensor) -> Tensor:
        return self.steepness * images.mean(1, keepdim=True)


def write_model(folder: Path, name: str, model: dict, steps: list, meta: Any = None, loader: Any = None) -> tuple:
    """Config and checkpoint of a model with random weights."""
    pipeline = [loader or dict(type='LoadImageAndMask'), *steps]
    dataset = dict(type='MaskedImageDataset', data_root='nowhere', pipeline=pipeline)
    model = dict(model, data_preprocessor=PREPROCESSOR)
    cfg = Config(dict(default_scope='mmdet3d', model=model, test_dataloader=dict(dataset=dataset)))
    cfg.dump(folder / f'{name}.py')
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    weights = MODELS.build(model).state_dict()
    torch.save(dict(state_dict=weights, meta=dict(dataset_meta=meta or {})), folder / f'{name}.pth')
    return folder / f'{name}.py', folder / f'{name}.pth'


def write_unet(folder: Path, *transforms: dict, backbone: str = 'BrightPixels', name: str = 'unet') -> tuple:
    network = dict(type='UNet', base_channels=4, num_levels=2) if backbone == 'UNet' else dict(type=backbone)
    moved = dict(type='TransformImageAndMask', transforms=list(transforms or [RESIZE]))
    model = dict(type='UNetSegmentor', backbone=network)
    return write_model(folder, name, model, [moved, dict(type='PackImageInputs')])


def write_simnet(
    folder: Path, branches: str = 'both', pack: Any = None, loader: Any = None, name: str = 'simnet',
    resize: Any = RESIZE, **points: Any,
) -> tuple:  # fmt: skip
    parts = {'image_backbone': IMAGE, 'point_backbone': CLOUD}
    parts = {key: part for key, part in parts.items() if branches in ('both', key.split('_')[0])}
    model = dict(type='SIMNet', head=dict(num_classes=len(CLASSES)), **parts)
    moved = dict(type='TransformImageAndMask', transforms=[resize])
    made = [] if branches == 'image' else [{**POINTS, **points}]
    steps = [moved, *made, dict(type='PackImageInputs', **(pack or {}))]
    return write_model(folder, name, model, steps, dict(classes=CLASSES), loader)


def disc(height: int = 96, width: int = 128, centre: tuple = (40, 50), radius: int = 22) -> tuple:
    """A bright disc before a dark ground, ``(H, W, 3)`` BGR, and its mask ``(H, W)`` bool."""
    rows, columns = np.mgrid[:height, :width]
    mask = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    noise = np.random.default_rng(height * width).integers(0, 40, (height, width, 3))
    return np.where(mask[..., None], 255 - noise, noise).astype(np.uint8), mask


def write_image(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float(((found > 0) & (truth > 0)).sum() / ((found > 0) | (truth > 0)).sum())
