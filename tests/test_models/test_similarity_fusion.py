"""SimilarityFusion against the formulas of paper and published code."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

SIZES = (9, 0, 1, 14)
SAMPLE = torch.repeat_interleave(torch.arange(4), torch.tensor(SIZES))


def build(**options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(dict(type='SimilarityFusion', image_channels=4, point_channels=6, **options)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def features() -> list[Tensor]:
    count = len(SAMPLE)
    shapes = [(count, 4), (count, 6), (count,)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def attended(model: nn.Module, kind: str, number: int, x: Tensor) -> Tensor:
    """One sample (C, n), channels first as published."""
    module = model.attentions[number]
    if kind == 'squeeze':
        return x * torch.sigmoid(module.gate.weight @ x.mean(1, keepdim=True) + module.gate.bias[:, None])
    energy = x @ x.t()
    attention = torch.softmax(energy.max(1, keepdim=True).values.expand_as(energy) - energy, 1)
    return module.scale * (attention @ x) + x


def plain(
    model: nn.Module, gate: str, kind: str, attend: str, image: Tensor, points: Tensor, similarity: Tensor
) -> Tensor:
    result = []
    for sample in range(4):
        rows = SAMPLE == sample
        x, s = [image[rows].t(), points[rows].t()], similarity[rows]
        if not rows.any():
            continue
        if attend == 'plain' and kind:
            x = [attended(model, kind, number, rows) for number, rows in enumerate(x)]
        if gate == 'softmax':
            w2, w3 = torch.stack([s, model.point_score.raw.expand_as(s)]).softmax(0)
            x = [w2 * x[0], w3 * x[1]]
        elif gate == 'product':
            x = [s.relu() * x[0], x[1]]
        if attend == 'weighted' and kind:
            x = [attended(model, kind, number, rows) for number, rows in enumerate(x)]
        result.append(torch.cat(x).t())
    return torch.cat(result)


@pytest.mark.parametrize('gate', ['softmax', 'product', 'none'])
@pytest.mark.parametrize('attention', ['squeeze', 'affinity', None])
@pytest.mark.parametrize('attend', ['weighted', 'plain'])
def test_parity_with_the_formulas(gate, attention, attend):
    model, inputs = build(gate=gate, attention=attention, attend=attend), features()
    ours = model(*inputs, SAMPLE, 4)
    theirs = plain(model, gate, attention, attend, *inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    weight = torch.randn_like(ours)
    wanted = [*model.parameters(), *inputs]
    gradients = [torch.autograd.grad((out * weight).sum(), wanted, allow_unused=True) for out in (ours, theirs)]
    for ours, theirs in zip(*gradients):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('attention', ['squeeze', 'affinity'])
def test_gradcheck(attention):
    model = build(attention=attention)
    sample = torch.tensor([0, 0, 1])
    inputs = [tensor[:3].detach().clone().requires_grad_() for tensor in features()]
    assert torch.autograd.gradcheck(lambda *given: model(*given, sample, 2), inputs)


def test_product_never_turns_the_sign():
    model, (image, points, _) = build(gate='product', attention=None), features()
    out = model(image, points, torch.full((len(SAMPLE),), -0.5, dtype=torch.float64), SAMPLE, 4)
    assert not out[:, :4].any() and torch.equal(out[:, 4:], points)


def test_softmax_starts_from_one():
    model = MODELS.build(dict(type='SimilarityFusion'))
    image, points = model.weights(torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(image, torch.tensor([[0.5], [0.26894143]]))
    torch.testing.assert_close(image + points, torch.ones(2, 1))


def test_published_size():
    """Attention of 64 and 128 channels and one constant."""
    model = MODELS.build(dict(type='SimilarityFusion'))
    assert sum(p.numel() for p in model.parameters()) == 64 * 65 + 128 * 129 + 1 and model.out_channels == 192


@pytest.mark.parametrize('attention', ['squeeze', 'affinity', None])
@pytest.mark.parametrize('num_samples', [1, 3])
def test_no_points(attention, num_samples):
    model = build(attention=attention)
    empty = [tensor[:0] for tensor in features()]
    out = model(*empty, SAMPLE[:0], num_samples)
    assert out.shape == (0, 10)
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_permutation_of_points_and_independence_of_samples():
    model, inputs = build(), features()
    result = model(*inputs, SAMPLE, 4)
    order = torch.cat([torch.randperm(9), torch.arange(9, len(SAMPLE))])
    torch.testing.assert_close(model(*(tensor[order] for tensor in inputs), SAMPLE[order], 4), result[order])
    first = model(*(tensor[:9] for tensor in inputs), SAMPLE[:9], 1)
    torch.testing.assert_close(first, result[:9])


@pytest.mark.parametrize('option, message', [
    (dict(gate='sum'), "gate must be 'softmax', 'product' or 'none', got 'sum'"),
    (dict(attention='se'), r"attention must be None or one of \('squeeze', 'affinity'\), got 'se'"),
    (dict(attend='twice'), "attend must be 'weighted' or 'plain', got 'twice'"),
])  # fmt: skip
def test_clear_errors(option, message):
    with pytest.raises(ValueError, match=message):
        build(**option)
