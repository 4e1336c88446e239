"""A small PointVoxelSegmentor and random batches for it."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData
from torch import Tensor, nn

import mmfusion_plugin  # noqa: F401  (registers the models)

CLASSES = 5
VOLUME = dict(lower=[-8, -8, -2], upper=[8, 8, 2], spatial_shape=[32, 32, 7])


def small_segmentor(hidden: int = 8, scales: Sequence[int] = (2, 4, 4), **head: Any) -> nn.Module:
    """Three scales, eight channels, five classes, a volume of 16 x 16 x 4 m."""
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='PointVoxelSegmentor',
            backbone=dict(type='SPVEncoder', hidden=hidden, scales=list(scales), **VOLUME),
            decode_head=dict(
                type='PointSegHead',
                in_channels=hidden,
                num_levels=len(scales),
                channels=6,
                num_classes=CLASSES,
                ignore_index=CLASSES,
                **head,
            ),
        )
    )


def cloud(num: int, inside: bool = True) -> Tensor:
    """(num, 4) points in a few clusters inside the volume, or above and beside it."""
    points = torch.rand(num, 4) * torch.tensor([6.0, 6.0, 3.0, 255.0]) - torch.tensor([3.0, 3.0, 1.5, 0.0])
    return points if inside else points + torch.tensor([20.0, 0.0, 5.0, 0.0])


def batch(points: List[Tensor]) -> Dict[str, Any]:
    """What the collate function hands over, with random labels, ignored ones among them."""
    samples = []
    for cloud_ in points:
        sample = Det3DDataSample()
        sample.gt_pts_seg = PointData(pts_semantic_mask=torch.randint(0, CLASSES + 1, (len(cloud_),)))
        samples.append(sample)
    return dict(inputs=dict(points=list(points)), data_samples=samples)


def logits_of(model: nn.Module, points: List[Tensor]) -> List[Tensor]:
    """(C, N_i) logits that ``predict`` reports."""
    with torch.no_grad():
        data = model.data_preprocessor(batch(points), False)
        return [s.pts_seg_logits.pts_seg_logits for s in model(**data, mode='predict')]
