"""A segmentor small enough to know its answer: the class depends on one coordinate, the height, alone."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import PointData
from mmengine.model import BaseModel

LOW, HIGH = 10, 15


@MODELS.register_module()
class HeightSegmentor(BaseModel):
    """The second of ``answers`` above ``threshold`` (a weight, so that a checkpoint changes it), the first below."""

    def __init__(self, forget: int = 0, axis: int = 2, answers=(LOW, HIGH), data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.forget, self.axis, self.answers = forget, axis, answers
        self.threshold = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode='predict'):
        for points, sample in zip(inputs['points'], data_samples):
            points = points[self.forget :]
            low, high = self.answers
            logits = torch.full((high + 1, len(points)), -9.0)
            height = points[:, self.axis]
            logits[low], logits[high] = self.threshold - height, height - self.threshold
            sample.pts_seg_logits = PointData(pts_seg_logits=logits)
            sample.pred_pts_seg = PointData(pts_semantic_mask=logits.argmax(0))
        return data_samples


CONFIG = """
default_scope = 'mmdet3d'
model = dict(type='HeightSegmentor')
test_dataloader = dict(dataset=dict(
    type='NuScenesLidarSegDataset',
    pipeline=[
        dict(type='LoadLidarSweep', load_dim=5, use_dim=4),
        dict(type='LoadLidarSeg'),
        dict(type='PackFusionInputs')]))
tta_model = dict(type='Seg3DTTAModel')
tta_pipeline = [
    dict(type='LoadLidarSweep', load_dim=5, use_dim=4),
    dict(type='TestTimeAug', transforms=[
        [dict(type='VoteRotTrans', vote=vote, seed=0, translation_std=0.0) for vote in range(3)],
        [dict(type='PackFusionInputs')]])]
"""
