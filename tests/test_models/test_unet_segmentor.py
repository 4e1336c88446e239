"""UNetSegmentor: losses and predictions by hand; it learns a shape."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn


def build(channels: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build(dict(type='UNetSegmentor', backbone=dict(type='UNet', base_channels=channels)))


def batch(images: Tensor, masks: Tensor) -> Dict[str, Any]:
    samples = [BaseDataElement(metainfo=dict(img_path=f'{number}.jpg'), gt_mask=mask)
               for number, mask in enumerate(masks)]
    return dict(inputs=dict(img=images), data_samples=samples)


def test_loss_by_hand():
    model, images = build().eval(), torch.randn(2, 3, 20, 30)
    masks = (torch.rand(2, 1, 20, 30) > 0.5).to(torch.uint8) * 255
    losses = model(**batch(images, masks), mode='loss')
    chance = model(dict(img=images)).sigmoid()
    assert set(losses) == {'loss_bce', 'loss_dice'}
    torch.testing.assert_close(losses['loss_bce'], F.binary_cross_entropy(chance, (masks / 255)))


def test_prediction_is_a_probability_of_the_image_s_size():
    model, images = build().eval(), torch.randn(2, 3, 21, 35)
    with torch.no_grad():
        samples = model(**batch(images, torch.zeros(2, 1, 21, 35)), mode='predict')
        new = model(dict(img=images), mode='predict')
        expected = 1 / (1 + (-model(dict(img=images))).exp())
    for found in (samples, new):
        torch.testing.assert_close(torch.stack([sample.pred_mask for sample in found]), expected)
    assert samples[1].img_path == '1.jpg' and expected.shape == (2, 1, 21, 35)


@pytest.mark.parametrize('value', [0, 1])
def test_empty_and_full_masks(value):
    model = build().train()
    losses = model(**batch(torch.randn(1, 3, 16, 16), torch.full((1, 1, 16, 16), value)), mode='loss')
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def discs(count: int) -> Tuple[Tensor, Tensor]:
    """Bright discs on a dark ground, and their masks."""
    v, u = torch.meshgrid(torch.arange(24), torch.arange(24), indexing='ij')
    centre, radius = 6 + 12 * torch.rand(2, count, 1, 1), 3 + 3 * torch.rand(count, 1, 1)
    masks = ((v - centre[0]) ** 2 + (u - centre[1]) ** 2 < radius**2)[:, None]
    return masks + 0.3 * torch.randn(count, 3, 24, 24), masks


def test_learns_discs():
    model = build().train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        sum(model(**batch(*discs(8)), mode='loss').values()).backward()
        optimiser.step()
    images, masks = discs(8)
    with torch.no_grad():
        found = torch.stack([sample.pred_mask for sample in model.eval()(dict(img=images), mode='predict')]) > 0.5
    assert float((found & masks).sum() / (found | masks).sum()) > 0.8


def test_clear_errors():
    data = batch(torch.randn(2, 3, 16, 16), torch.zeros(2, 1, 16, 16))
    data['data_samples'][1].gt_mask = torch.zeros(1, 20, 16)
    with pytest.raises(ValueError, match=r'1.jpg has a gt_mask \(1, 20, 16\), need one \(1, 16, 16\)'):
        build()(**data, mode='loss')
    del data['data_samples'][0].gt_mask
    with pytest.raises(ValueError, match='0.jpg has no gt_mask'):
        build()(**data, mode='loss')
