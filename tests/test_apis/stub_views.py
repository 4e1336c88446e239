"""Scans whose points are read off their frames: what a model says without a frame is known.

Frame f of a scan shows one grey value, ``20 * (1 + class)``, the class of the points ``f, f + FRAMES, ...``.
"""

from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import DATASETS, MODELS, TRANSFORMS
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.registry import Registry

SCANS, FRAMES, POINTS, CLASSES = 3, 8, 80, ('wall', 'floor', 'bed', 'sofa')
STUBS = Registry('transform', parent=TRANSFORMS, scope='stub_views')


def frame_classes(scan: int) -> np.ndarray:
    """Class of each frame ``(FRAMES,)``."""
    return np.random.default_rng(scan).permutation(np.arange(FRAMES) % len(CLASSES))


def scan_name(scan: int) -> str:
    return f'scene{scan:04d}_00'


@DATASETS.register_module()
class StubScans(BaseDataset):
    METAINFO = dict(classes=CLASSES)

    def load_data_list(self) -> list[dict]:
        return [dict(scan=scan, scan_id=scan_name(scan)) for scan in range(SCANS)]


@STUBS.register_module()
class SelectViews(BaseTransform):
    """The first frames, as many as there are."""

    def __init__(self, num_views: int = 4) -> None:
        self.num_views = num_views

    def transform(self, results: dict) -> dict:
        results['views'] = np.arange(min(self.num_views, FRAMES))
        return results


@STUBS.register_module()
class LoadViews(BaseTransform):
    """Grey images of 4 x 6 pixels, all depth measured."""

    def transform(self, results: dict) -> dict:
        views = results['views']
        grey = 20 * (1 + frame_classes(results['scan'])[views])
        results['img'] = [np.full((4, 6, 3), value, np.uint8) for value in grey]
        results['depth'] = np.ones((len(views), 4, 6), np.float32)
        results['cam2world'] = np.tile(np.eye(4), (len(views), 1, 1))
        return results


@STUBS.register_module()
class Pack(BaseTransform):
    def transform(self, results: dict) -> dict:
        frame = np.arange(POINTS) % FRAMES
        sample = Det3DDataSample(metainfo=dict(scan_id=results['scan_id']))
        sample.eval_ann_info = dict(pts_semantic_mask=frame_classes(results['scan'])[frame])
        inputs = dict(points=torch.from_numpy(frame))
        if 'img' in results:
            seen = [bool(depth.any()) for depth in results['depth']]
            inputs['grey'] = torch.tensor([int(image[0, 0, 0]) * ok for image, ok in zip(results['img'], seen)])
        return dict(inputs=inputs, data_samples=sample)


@MODELS.register_module()
class GreyReader(BaseModel):
    """Class of the frame that shows a point plus ``shift`` (a weight); 0 plus ``shift`` where no frame does."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode='predict'):
        for number, (frame, sample) in enumerate(zip(inputs['points'], data_samples)):
            classes = torch.zeros(FRAMES, dtype=torch.long)
            if 'grey' in inputs:
                grey = inputs['grey'][number].long()
                classes[: len(grey)] = (grey // 20 - 1).clamp_min(0)
            labels = (classes[frame] + int(self.shift)) % len(CLASSES)
            sample.pred_pts_seg = PointData(pts_semantic_mask=labels)
        return data_samples


CONFIG = """
custom_imports = dict(imports=['mmfusion_plugin', 'test_apis.stub_views'])
default_scope = 'mmdet3d'
model = dict(type='GreyReader')
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='StubScans', pipeline=[{steps}dict(type='stub_views.Pack')]))
test_evaluator = dict(type='ScanNetSegMetric')
test_cfg = dict()
"""
STEPS = "dict(type='stub_views.SelectViews', num_views=4), dict(type='stub_views.LoadViews'), "
WITH_VIEWS = CONFIG.format(steps=STEPS)
POINTS_ALONE = CONFIG.format(steps='')
