"""MaskLoss against the formulas in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS


def test_values_by_hand():
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(3, 1, 5, 7)), rng.random((3, 1, 5, 7)) > 0.6
    truth[2] = False
    loss = MODELS.build(dict(type='MaskLoss', bce_weight=2.0, dice_weight=0.5, smooth=0.3))
    found = loss(torch.from_numpy(logits), torch.from_numpy(truth))
    chance = 1 / (1 + np.exp(-logits))
    bce = -np.where(truth, np.log(chance), np.log(1 - chance)).mean()
    dice = [1 - (2 * (p * t).sum() + 0.3) / (p.sum() + t.sum() + 0.3) for p, t in zip(chance, truth)]
    assert float(found['loss_bce']) == pytest.approx(2 * bce)
    assert float(found['loss_dice']) == pytest.approx(0.5 * np.mean(dice))


@pytest.mark.parametrize('value', [False, True])
def test_right_predictions_of_empty_and_full_masks_cost_nothing(value):
    logits = torch.full((2, 1, 4, 4), 40.0 if value else -40.0, requires_grad=True)
    losses = MODELS.build(dict(type='MaskLoss'))(logits, torch.full((2, 1, 4, 4), value))
    assert all(float(part) == pytest.approx(0, abs=1e-6) for part in losses.values())
    sum(losses.values()).backward()
    assert logits.grad.isfinite().all()


def test_gradients():
    truth = torch.rand(2, 1, 3, 4) > 0.5
    loss = MODELS.build(dict(type='MaskLoss'))
    logits = torch.randn(2, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: tuple(loss(x, truth).values()), logits)


def test_half_precision_and_no_image():
    loss = MODELS.build(dict(type='MaskLoss'))
    big = torch.full((1, 1, 400, 400), 0.0, dtype=torch.float16)
    assert all(part.dtype == torch.float32 and part.isfinite() for part in loss(big, big > 1).values())
    none = torch.zeros(0, 1, 4, 4, requires_grad=True)
    total = sum(loss(none, none > 0).values())
    total.backward()
    assert total == 0


def test_clear_error():
    with pytest.raises(ValueError, match='smooth must be positive, got 0'):
        MODELS.build(dict(type='MaskLoss', smooth=0))
