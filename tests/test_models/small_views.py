"""Small batches of points with unprojected pixels of random views, and small networks for them."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.structures import PixelData
from torch import Tensor, nn

import mmfusion_plugin  # noqa: F401  (registers the models)

CLASSES = 5
HEIGHT, WIDTH = 32, 48
NEIGHBOURS = 6
POINTNET = dict(
    type='PointNet2SSG', sa_channels=((6, 8), (8, 10)), num_centroids=(24, 8), radii=(0.4, 0.8), max_neighbours=(6, 5),
    fp_channels=((9,), (7, 6)),
)  # fmt: skip
IMAGE = dict(type='UNetResNet34', depth=18, base_channels=4)
HEAD = dict(type='PointMLPHead', channels=(7,), num_classes=CLASSES, ignore_index=CLASSES)
AGGREGATION = dict(type='NearestPixelAggregation', channels=(6, 6))


def build(kind: str = 'SAFNet', **options: Any) -> nn.Module:
    """``PointSetSegmentor``, ``MVPNet`` or ``SAFNet`` with a few channels and five classes."""
    torch.manual_seed(0)
    cfg = dict(type=kind, backbone=POINTNET, decode_head=HEAD)
    if kind != 'PointSetSegmentor':
        cfg.update(image_backbone=IMAGE, aggregation=AGGREGATION)
    if kind == 'SAFNet':
        cfg.update(
            geometric=dict(type='GeometricSimilarity'),
            contextual=dict(type='ContextualSimilarity', channels=5, orientation_channels=7),
            fusion=dict(type='SimilarityFusion'),
            auxiliary_head=dict(type='PointMLPHead', channels=(7, 7)),
            num_neighbours=NEIGHBOURS,
        )
    return MODELS.build({**cfg, **options})


def view_batch(sizes: Sequence[int], pixels: Sequence[int], views: int = 2, columns: int = 3) -> Dict[str, Any]:
    """Points in a cube of 1 m, some of their unprojected pixels near them, random images and labels."""
    inputs: Dict[str, Any] = dict(points=[], imgs=[], pixel_xyz=[], pixel_index=[])
    samples = []
    for size, count in zip(sizes, pixels):
        sample = Det3DDataSample(gt_pts_seg=PointData(pts_semantic_mask=torch.randint(0, CLASSES + 1, (size,))))
        sample.gt_sem_seg = PixelData(sem_seg=torch.randint(0, CLASSES + 1, (views, HEIGHT, WIDTH)))
        samples.append(sample)
        inputs['points'].append(torch.rand(size, columns))
        inputs['imgs'].append(torch.rand(views, 3, HEIGHT, WIDTH))
        inputs['pixel_xyz'].append(torch.rand(count, 3))
        inputs['pixel_index'].append(torch.randperm(views * HEIGHT * WIDTH)[:count])
    return dict(inputs=inputs, data_samples=samples)


def losses_of(model: nn.Module, data: Dict[str, Any]) -> Dict[str, Tensor]:
    """Losses of a batch as a runner gets them."""
    return model(**model.data_preprocessor(data, True), mode='loss')


def logits_of(model: nn.Module, data: Dict[str, Any]) -> list[Tensor]:
    """(C, N_i) logits that ``predict`` reports."""
    with torch.no_grad():
        samples = model(**model.data_preprocessor(data, False), mode='predict')
    for sample, points in zip(samples, data['inputs']['points']):
        assert torch.equal(sample.pred_pts_seg.pts_semantic_mask, sample.pts_seg_logits.pts_seg_logits.argmax(0))
        assert sample.pts_seg_logits.pts_seg_logits.shape == (CLASSES, len(points))
    return [sample.pts_seg_logits.pts_seg_logits for sample in samples]
