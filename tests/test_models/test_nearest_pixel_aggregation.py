"""NearestPixelAggregation and Neighbourhoods against loops over points."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.models.fusion import Neighbourhoods


def build(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(dict(type='NearestPixelAggregation', in_channels=5, channels=(6, 7))).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.3 if parameter.ndim == 1 else 0.0, 0.5)
    return model


def clouds(*sizes: int) -> list[Tensor]:
    return [torch.rand(size, 3, dtype=torch.float64) for size in sizes]


def plain(model: nn.Module, points: list[Tensor], others: list[Tensor], features: list[Tensor]) -> Tensor:
    """The published form: groups (B, C, N, 3), 1 x 1 convolutions, sum over the three neighbours."""
    groups = []
    for p, q, f in zip(points, others, features):
        index = torch.cdist(p, q).topk(3, 1, largest=False).indices
        offset = q[index] - p[:, None]
        groups.append(torch.cat([f[index], offset, (offset**2).sum(2, keepdim=True)], 2).permute(2, 0, 1))
    x = torch.stack(groups)
    for layer in (0, 3):
        norm = model.mlp[layer + 1]
        x = F.conv2d(x, model.mlp[layer].weight[..., None, None])
        x = F.batch_norm(x, None, None, norm.weight, norm.bias, True).relu()
    return x.sum(3).transpose(1, 2).flatten(0, 1)


def test_parity_with_the_plain_form():
    model, points, others = build().train(), clouds(12, 12), clouds(9, 20)
    features = [torch.randn(len(cloud), 5, dtype=torch.float64, requires_grad=True) for cloud in others]
    wanted = [*model.parameters(), *features]
    ours = model(Neighbourhoods.of_batch(points, others, 0, 3), torch.cat(features))
    theirs = plain(model, points, others, features)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((out * weight).sum(), wanted) for out in (ours, theirs)]
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_published_size():
    assert sum(p.numel() for p in MODELS.build(dict(type='NearestPixelAggregation')).parameters()) == 12_928


def test_gradients():
    model = build().eval()
    own, theirs = torch.empty(4, 0, dtype=torch.long), torch.tensor([[0, 1, 2], [3, 1, -1], [2, -1, -1], [-1, -1, -1]])
    inputs = [*clouds(4, 5), torch.randn(5, 5, dtype=torch.float64)]
    for tensor in inputs:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda p, q, f: model(Neighbourhoods(p, q, own, theirs, (4,)), f), inputs)


def test_translation_and_permutations():
    model, (points,), (others,) = build().eval(), clouds(12), clouds(30)
    features = torch.randn(30, 5, dtype=torch.float64)
    result = model(Neighbourhoods.of_batch([points], [others], 0, 3), features)
    moved = Neighbourhoods.of_batch([points + 7], [others + 7], 0, 3)
    torch.testing.assert_close(model(moved, features), result)
    order, pixels = torch.randperm(12), torch.randperm(30)
    shuffled = Neighbourhoods.of_batch([points[order]], [others[pixels]], 0, 3)
    torch.testing.assert_close(model(shuffled, features[pixels]), result[order])


@pytest.mark.parametrize('pixels', [0, 1, 2])
def test_few_pixels(pixels):
    model = build().train()
    features = torch.randn(pixels, 5, dtype=torch.float64)
    pair = Neighbourhoods.of_batch(clouds(6), clouds(pixels), 0, 3)
    assert ((pair.theirs >= 0).sum(1) == pixels).all() and pair.seen.all() == bool(pixels)
    out = model(pair, features)
    assert out.shape == (6, 7) and out.isfinite().all() and (pixels > 0 or not out.any())
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_neighbourhoods_of_a_batch():
    points, others = clouds(5, 0, 4), clouds(3, 2, 0)
    pair = Neighbourhoods.of_batch(points, others, 2, 4)
    assert pair.sizes == (5, 0, 4) and pair.sample.tolist() == [0] * 5 + [2] * 4
    assert pair.own[:, 0].tolist() == list(range(9)), 'each point is its own nearest'
    assert (pair.theirs[:5, :3] >= 0).all() and (pair.theirs[:, 3] == -1).all() and (pair.theirs[5:] == -1).all()
    assert pair.own[5:].min() >= 5
    own, theirs = pair.around(slice(1, 3))
    torch.testing.assert_close(own, pair.points[pair.own[1:3]] - pair.points[1:3, None])
    torch.testing.assert_close(theirs[:, :3], pair.others[pair.theirs[1:3, :3]] - pair.points[1:3, None])
    assert not theirs[:, 3].any()


def test_neighbours_found_before_give_the_same():
    points, others = clouds(5, 4), clouds(6, 7)
    whole = Neighbourhoods.of_batch(points, others, 3, 3)
    own = [torch.cdist(p, p).argsort(1) for p in points]
    theirs = [torch.cdist(p, q).argsort(1) for p, q in zip(points, others)]
    given = Neighbourhoods.of_batch(points, others, 3, 3, own, theirs)
    assert torch.equal(given.own, whole.own) and torch.equal(given.theirs, whole.theirs)
    with pytest.raises(ValueError, match=r'theirs must hold 9 neighbours of each of \[5, 4\] points, got shapes'):
        Neighbourhoods.of_batch(points, others, 3, 9, own, theirs)


def test_radius_keeps_the_nearest():
    points = [torch.zeros(1, 3)]
    others = [torch.tensor([[0.5, 0, 0], [0.2, 0, 0], [3, 0, 0]])]
    pair = Neighbourhoods.of_batch(points, others, 1, 3)
    assert pair.within(None) is pair
    assert pair.within(1.0).theirs.tolist() == [[1, 0, -1]]
    assert pair.within(0.1).theirs.tolist() == [[1, -1, -1]], "the paper's rule for an empty neighbourhood"
