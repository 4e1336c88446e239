"""Votes over views."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.dataset import pseudo_collate

from .small_segmentor import cloud, logits_of, small_segmentor


def view(logits: torch.Tensor) -> Det3DDataSample:
    sample = Det3DDataSample()
    sample.pts_seg_logits = PointData(pts_seg_logits=logits)
    sample.pred_pts_seg = PointData(pts_semantic_mask=logits.argmax(0))
    return sample


def build(vote: str) -> torch.nn.Module:
    return MODELS.build(dict(type='PointVoteTTAModel', vote=vote, module=small_segmentor().eval()))


def test_the_two_votes_differ_as_they_should() -> None:
    """One very sure view outvotes two mild ones by logits, not by probabilities."""
    sure, mild = torch.tensor([[50.0], [0.0]]), torch.tensor([[0.0], [5.0]])
    merged = {}
    for vote in ('logit_sum', 'softmax_mean'):
        merged[vote] = build(vote).merge_preds([[view(sure), view(mild), view(mild)]])[0]
    assert merged['logit_sum'].pred_pts_seg.pts_semantic_mask.tolist() == [0]
    assert merged['logit_sum'].pts_seg_logits.pts_seg_logits.tolist() == [[50.0], [10.0]]
    assert merged['softmax_mean'].pred_pts_seg.pts_semantic_mask.tolist() == [1]
    assert float(merged['softmax_mean'].pts_seg_logits.pts_seg_logits.sum()) == pytest.approx(1)


def test_runs_over_augmented_batches() -> None:
    """test_step on what mmengine's collate makes of two samples with two views each."""
    model, points = build('logit_sum').eval(), [cloud(30), cloud(20)]
    turned = [p * torch.tensor([-1.0, -1.0, 1.0, 1.0]) for p in points]
    loaded = [
        dict(inputs=[dict(points=p) for p in views], data_samples=[Det3DDataSample() for _ in views])
        for views in zip(points, turned)
    ]
    data = pseudo_collate(loaded)
    result = model.test_step(data)
    for i, sample in enumerate(result):
        expected = logits_of(model.module, points)[i] + logits_of(model.module, turned)[i]
        torch.testing.assert_close(sample.pts_seg_logits.pts_seg_logits, expected)


def test_wrong_votes_are_refused() -> None:
    with pytest.raises(ValueError, match='logit_sum'):
        build('majority')
    with pytest.raises(ValueError, match='different numbers of points'):
        build('logit_sum').merge_preds([[view(torch.zeros(2, 3)), view(torch.zeros(2, 4))]])
