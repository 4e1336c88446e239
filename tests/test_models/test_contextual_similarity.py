"""ContextualSimilarity against its convolutions written with conv2d on dense groups, and what it must not depend on."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.models.fusion import Neighbourhoods
from mmfusion_plugin.models.layers.orientation_encoding import OrientationEncoding
from mmfusion_plugin.ops.octants import octant_neighbours

K, RADIUS = 6, 0.4


def build(mode: str = 'paper', dtype: torch.dtype = torch.float64, **options) -> nn.Module:
    torch.manual_seed(0)
    widths = dict(num_neighbours=K, channels=5, orientation_channels=7)
    cfg = dict(type='ContextualSimilarity', mode=mode, radius=RADIUS, **widths)
    model = MODELS.build({**cfg, **options}).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.3 if parameter.ndim == 1 else 0.0, 0.4)
    return model


def clouds(*sizes: int) -> list[Tensor]:
    return [torch.rand(size, 3, dtype=torch.float64) for size in sizes]


def normed(x: Tensor, norm: nn.Module) -> Tensor:
    return F.batch_norm(x, None, None, norm.weight, norm.bias, True).relu()


def orientation(module: nn.Module, points: Tensor, features: Tensor, octants: Tensor) -> Tensor:
    """PointSIFT's published form: (B, 3 + C, N, 8), three convolutions [1, 2] of stride [1, 2]; (B, C', N)."""
    offset = (points[octants] - points[:, None]).expand(len(features), -1, -1, -1)
    groups = torch.cat([offset, features[:, octants]], 3).permute(0, 3, 1, 2)
    for join, norm in zip(module.joins, module.norms):
        weight = join.weight.view(join.out_features, 2, -1).transpose(1, 2)[:, :, None]
        groups = normed(F.conv2d(groups, weight, join.bias, stride=(1, 2)), norm)
    x = groups.squeeze(3)
    if isinstance(module.pointwise, nn.Sequential):
        linear, norm, _ = module.pointwise
        x = normed(F.conv1d(x, linear.weight[..., None], linear.bias), norm)
    return x


def plain(model: nn.Module, points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Section III-B-2 (or the published code) on one cloud in training, channels before points."""
    octants = octant_neighbours(points, RADIUS)
    features = []
    for cloud in (points, others):
        near = cloud[torch.cdist(points, cloud).topk(K, 1, largest=False).indices]
        if model.mode == 'paper':
            difference = points[:, None] - near
            near = torch.cat([-difference, difference, difference.square().sum(2, keepdim=True)], 2)
        features.append(near.flatten(1))
    contexts = []
    for batch in [features] if model.statistics == 'joint' else [features[:1], features[1:]]:
        x = orientation(model.orientation, points, torch.stack(batch), octants)
        for layer in range(0, len(model.mlp), 3):
            x = normed(F.conv1d(x, model.mlp[layer].weight[..., None]), model.mlp[layer + 1])
        contexts += [rows.t() for rows in x]
    ours, theirs = (F.linear(x, model.compared.weight, model.compared.bias) for x in contexts)
    return (ours * theirs).sum(1) / (ours.norm(dim=1) * theirs.norm(dim=1)), contexts[0]


@pytest.mark.parametrize('options', [
    dict(mode='paper'), dict(mode='code'), dict(pointwise=True), dict(statistics='published'),
], ids=str)  # fmt: skip
def test_parity_with_the_plain_form(options):
    model, (points,), (others,) = build(**options).train(), clouds(30), clouds(40)
    ours = model(Neighbourhoods.of_batch([points], [others], K, K))
    theirs = plain(model, points, others)
    weights, wanted = [torch.randn_like(out) for out in ours], list(model.parameters())
    gradients = []
    for outs in (ours, theirs):
        gradients.append(torch.autograd.grad(sum((out * weight).sum() for out, weight in zip(outs, weights)), wanted))
    for one, other in [*zip(ours, theirs), *zip(*gradients)]:
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize('statistics, alike', [('joint', True), ('published', False)])
def test_testing_normalises_as_training_does(statistics, alike):
    """With running averages of one batch: (n - 1) / n of the variance is all that differs."""
    model = build(statistics=statistics)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0
    (points,), (others,) = clouds(200), clouds(300)
    pair = Neighbourhoods.of_batch([points], [5 * others], K, K)
    trained = model.train()(pair)
    tested = model.eval()(pair)
    gap = max((one - other).abs().max().item() for one, other in zip(trained, tested))
    assert (gap < 0.1) == alike, gap


def test_equal_neighbourhoods_stay_equal_in_testing():
    model = build().train()
    (points,), (others,) = clouds(100), clouds(100)
    model(Neighbourhoods.of_batch([points], [3 * others], K, K))
    values, _ = model.eval()(Neighbourhoods.of_batch([points], [points.clone()], K, K))
    torch.testing.assert_close(values, torch.ones_like(values))


def test_unknown_statistics_are_refused():
    with pytest.raises(ValueError, match="'joint', 'published'"):
        build(statistics='shared')


def test_published_sizes():
    def size(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    code = MODELS.build(dict(type='ContextualSimilarity', mode='code'))
    assert (size(code.orientation), size(code.mlp), size(code.compared)) == (116_608, 12_544, 4_160)
    assert size(OrientationEncoding(192, 128, pointwise=True)) == 116_608 + 16_768
    paper = MODELS.build(dict(type='ContextualSimilarity'))
    assert paper.orientation.joins[0].in_features == 2 * (3 + 448) and len(paper.mlp) == 3 * 3


def test_gradcheck():
    model = build(num_neighbours=2).eval()
    own, theirs = torch.tensor([[0, 1], [1, 2], [2, 0]]), torch.tensor([[0, 1], [3, -1], [-1, -1]])
    octants = torch.tensor([[0] * 8, [1, 2, 1, 0, 1, 2, 0, 0], [2, 1, 0, 0, 0, 1, 1, 2]])
    inputs = [tensor.requires_grad_() for tensor in clouds(3, 4)]
    assert torch.autograd.gradcheck(lambda p, q: model(Neighbourhoods(p, q, own, theirs, (3,)), octants), inputs)


def test_a_set_is_like_itself():
    model, (points,) = build().train(), clouds(40)
    values, _ = model(Neighbourhoods.of_batch([points], [points.clone()], K, K))
    torch.testing.assert_close(values, torch.ones_like(values))
    other, _ = model(Neighbourhoods.of_batch([points], clouds(50), K, K))
    assert (other < 1 - 1e-3).any() and other.abs().max() <= 1 + 1e-9


def test_translation():
    points, others = (torch.randint(0, 256, (size, 3)) / 256 for size in (50, 70))
    for mode, changes in (('paper', False), ('code', True)):
        model = build(mode, torch.float32).eval()
        near, _ = model(Neighbourhoods.of_batch([points], [others], K, K))
        far, _ = model(Neighbourhoods.of_batch([points + 64], [others + 64], K, K))
        assert torch.equal(near, far) != changes


def test_permutation_of_points_and_of_others():
    model, (points,), (others,) = build().eval(), clouds(40), clouds(50)
    values, context = model(Neighbourhoods.of_batch([points], [others], K, K))
    rows, columns = torch.randperm(40), torch.randperm(50)
    shuffled = model(Neighbourhoods.of_batch([points[rows]], [others[columns]], K, K))
    torch.testing.assert_close(shuffled, (values[rows], context[rows]))


def test_samples_are_independent():
    model, points, others = build().eval(), clouds(30, 7, 0), clouds(40, 0, 5)
    values, context = model(Neighbourhoods.of_batch(points, others, K, K))
    alone = [model(Neighbourhoods.of_batch([p], [q], K, K)) for p, q in zip(points, others)]
    torch.testing.assert_close(values, torch.cat([pair[0] for pair in alone]))
    torch.testing.assert_close(context, torch.cat([pair[1] for pair in alone]))


@pytest.mark.parametrize('mode', ['paper', 'code'])
@pytest.mark.parametrize('num_points, num_others', [(8, 0), (8, 1), (1, 1), (0, 4), (0, 0)])
def test_few_points(mode, num_points, num_others):
    model = build(mode).train()
    values, context = model(Neighbourhoods.of_batch(clouds(num_points), clouds(num_others), K, K))
    assert values.shape == (num_points,) and context.shape == (num_points, 5)
    assert values.isfinite().all() and context.isfinite().all()
    assert num_others or not values.any(), 'without pixels nothing is alike'
    (values.sum() + context.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_points_without_others_leave_the_statistics_alone():
    """The unseen sample must not enter the statistics of the contexts in Q."""
    model, (points,), (others,) = build(statistics='published').train(), clouds(30), clouds(40)
    batches = [([points], [others]), ([points, points], [others, others[:0]])]
    values = [model(Neighbourhoods.of_batch(p, q, K, K))[0][:30] for p, q in batches]
    torch.testing.assert_close(*values)


def test_clear_errors():
    with pytest.raises(ValueError, match="mode must be 'paper' or 'code', got 'both'"):
        build('both')
    with pytest.raises(ValueError, match=r'need 6 neighbours in each set, the neighbourhoods hold \(6, 3\)'):
        build()(Neighbourhoods.of_batch(clouds(9), clouds(9), K, 3))
