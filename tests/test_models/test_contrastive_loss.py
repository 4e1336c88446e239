"""The contrastive loss against torch's cross-entropy, loops, and finite differences."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from mmfusion_plugin.models.losses import ContrastiveLoss

LN_100 = math.log(100)


def pairs(count: int = 5, width: int = 7) -> tuple[Tensor, Tensor]:
    return tuple((3 * torch.randn(count, width, dtype=torch.float64)).requires_grad_() for _ in range(2))


def expected(image: Tensor, shape: Tensor, log_scale: Tensor) -> Tensor:
    logits = log_scale.exp() * (image / image.norm(dim=1)[:, None]) @ (shape / shape.norm(dim=1)[:, None]).T
    labels = torch.arange(len(image))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def test_value_and_gradients_are_those_of_cross_entropy():
    loss, (image, shape) = ContrastiveLoss(loss_weight=3.0).double(), pairs()
    log_scale = torch.tensor(math.log(1 / 0.07), dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(loss.log_scale.detach(), log_scale.detach(), rtol=1e-6, atol=0)
    with torch.no_grad():
        loss.log_scale.copy_(log_scale)
    value, reference = loss(image, shape), 3 * expected(image, shape, log_scale)
    torch.testing.assert_close(value, reference)
    ours = torch.autograd.grad(value, [image, shape, loss.log_scale])
    theirs = torch.autograd.grad(reference, [image, shape, log_scale])
    for one, other in zip(ours, theirs):
        assert other.abs().max() > 1e-4
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('positives', ['pair', 'model'])
def test_gradcheck(positives):
    loss, keys = ContrastiveLoss(temperature=0.5, positives=positives).double(), torch.tensor([4, 7, 4, 1])

    def call(image: Tensor, shape: Tensor, log_scale: Tensor) -> Tensor:
        value = torch.func.functional_call(loss, {'log_scale': log_scale + 0}, (image, shape, keys))
        return value

    log_scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, (*pairs(4, 3), log_scale))


def test_several_views_of_a_model_by_loops():
    loss, (image, shape) = ContrastiveLoss(positives='model').double(), pairs(6)
    keys = [3, 8, 3, 3, 8, -5]
    total = 0.0
    for queries, answers in ((image, shape), (shape, image)):
        for i, query in enumerate(queries):
            scores = [float(loss.scale * F.cosine_similarity(query, answer, dim=0)) for answer in answers]
            logarithm = math.log(sum(math.exp(score) for score in scores))
            own = [scores[j] - logarithm for j in range(6) if keys[i] == keys[j]]
            total -= sum(own) / len(own) / 12
    assert float(loss(image, shape, torch.tensor(keys))) == pytest.approx(total, rel=1e-6)
    distinct = torch.arange(6)
    torch.testing.assert_close(loss(image, shape, distinct), ContrastiveLoss().double()(image, shape))


def test_cases_with_a_known_answer():
    loss, axes = ContrastiveLoss(), torch.eye(4)
    alike = torch.ones(4, 3)
    assert float(loss(alike, alike)) == pytest.approx(math.log(4))  # nothing to tell by
    right = math.log(1 + 3 * math.exp(-1 / 0.07))
    assert float(loss(axes, 9 * axes)) == pytest.approx(right, abs=1e-6)  # lengths do not count
    assert float(loss(axes, axes.roll(1, 0))) == pytest.approx(1 / 0.07 + right, rel=1e-5)


def test_scale_starts_stops_and_comes_back():
    loss, axes = ContrastiveLoss(), torch.eye(3)
    assert float(loss.scale) == pytest.approx(1 / 0.07, rel=1e-6)
    optimizer = torch.optim.SGD(loss.parameters(), lr=1e5)
    for _ in range(3):  # pairs that are told rightly: ever sharper
        optimizer.zero_grad()
        loss(axes, axes).backward()
        assert float(loss.log_scale) <= LN_100 + 1e-6 and float(loss.scale) <= 100.001
        optimizer.step()
        assert float(loss.scale) <= 100.001
    with torch.no_grad():
        loss.log_scale.fill_(7.0)
    assert float(loss.scale) == pytest.approx(100, rel=1e-5)  # without a forward pass, too
    wrong = loss(axes, axes.roll(1, 0))
    assert float(loss.log_scale) == pytest.approx(LN_100) and float(wrong) == pytest.approx(100, abs=1e-3)
    optimizer.zero_grad()
    wrong.backward()
    assert float(loss.log_scale.grad) == pytest.approx(100, rel=1e-3)
    assert float(ContrastiveLoss(temperature=0.5, max_scale=2.0).scale) == pytest.approx(2)


@pytest.mark.parametrize('count', [0, 1])
@pytest.mark.parametrize('positives', ['pair', 'model'])
def test_fewer_than_two(count, positives):
    loss, (image, shape) = ContrastiveLoss(positives=positives), pairs(count)
    value = loss(image, shape, torch.arange(count))
    value.backward()
    assert float(value) == 0 and float(loss.log_scale.grad) == 0
    assert image.grad.shape == (count, 7) and not image.grad.any() and not shape.grad.any()


def test_embeddings_of_no_length_and_of_half_precision():
    loss, image = ContrastiveLoss(), torch.zeros(3, 4, requires_grad=True)
    value = loss(image, torch.randn(3, 4))
    value.backward()
    assert float(value) == pytest.approx(math.log(3)) and image.grad.isfinite().all()
    half = [side.detach().to(torch.bfloat16) for side in pairs()]
    with torch.autocast('cpu', torch.bfloat16):
        value = loss(*half)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(*(side.float() for side in half)))


def test_clear_errors():
    for wrong in (dict(temperature=0), dict(temperature=0.001), dict(max_scale=-1)):
        with pytest.raises(ValueError, match='need max_scale > 0 and a temperature of at least'):
            ContrastiveLoss(**wrong)
    with pytest.raises(ValueError, match="positives must be one of .* got 'all'"):
        MODELS.build(dict(type='ContrastiveLoss', positives='all'))
    with pytest.raises(ValueError, match=r'as many images as shapes, got \(3, 4\) and \(2, 4\)'):
        ContrastiveLoss()(torch.zeros(3, 4), torch.zeros(2, 4))
    for keys in (None, torch.arange(2)):
        with pytest.raises(ValueError, match="positives='model' needs keys of shape .3,., got"):
            ContrastiveLoss(positives='model')(torch.zeros(3, 4), torch.zeros(3, 4), keys)
