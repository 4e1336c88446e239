"""PointNet2SSG against PointNet++ with dense groups and 1 x 1 convolutions."""

from __future__ import annotations

from typing import Dict, List, Optional

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.models.layers.cloud_batch import join_rows

SMALL = dict(
    type='PointNet2SSG', in_channels=4, sa_channels=((6, 8), (8, 10)), num_centroids=(24, 8), radii=(0.4, 0.8),
    max_neighbours=(6, 5), fp_channels=((9,), (7, 5)),
)  # fmt: skip


def farthest(points: Tensor, num: int) -> List[int]:
    chosen = [0]
    while len(chosen) < num:
        chosen.append(int(torch.cdist(points, points[chosen]).amin(1).argmax()))
    return chosen


def ball(centre: Tensor, points: Tensor, radius: float, num: int) -> List[int]:
    inside = [row for row, p in enumerate(points) if (p - centre).square().sum() < radius**2][:num]
    return inside + inside[:1] * (num - len(inside))


def shared_mlp(x: Tensor, state: Dict[str, Tensor], prefix: str, layers: int, training: bool) -> Tensor:
    """(B, C, n, k) through 1 x 1 convolutions, batch normalisation and ReLU."""
    for layer in range(layers):
        x = F.conv2d(x, state[f'{prefix}.{3 * layer}.weight'][..., None, None])
        norm = f'{prefix}.{3 * layer + 1}'
        mean, var = state[f'{norm}.running_mean'], state[f'{norm}.running_var']
        x = F.batch_norm(x, mean, var, state[f'{norm}.weight'], state[f'{norm}.bias'], training).relu()
    return x


def plain(state: Dict[str, Tensor], clouds: List[Tensor], features: Optional[Tensor], training: bool) -> Tensor:
    """PointNet++ on clouds of one size, written from its description; (B, C, N)."""
    options = zip(SMALL['num_centroids'], SMALL['radii'], SMALL['max_neighbours'], SMALL['sa_channels'])
    xyz = torch.stack(clouds)
    levels = [(xyz, None)]
    for level, (num, radius, k, channels) in enumerate(options):
        centres, groups = [], []
        for sample, points in enumerate(xyz):
            centre = points[farthest(points, num)]
            index = torch.tensor([ball(c, points, radius, k) for c in centre])
            parts = [] if features is None else [features[sample].t()[index]]
            groups.append(torch.cat([*parts, points[index] - centre[:, None]], 2).permute(2, 0, 1))
            centres.append(centre)
        prefix = f'abstractions.{level}.mlp'
        features = shared_mlp(torch.stack(groups), state, prefix, len(channels), training).max(3).values
        xyz = torch.stack(centres)
        levels.append((xyz, features))
    for level, channels in enumerate(SMALL['fp_channels']):
        dense, skip = levels[-2 - level]
        dist2, index = ((dense[:, :, None] - xyz[:, None]) ** 2).sum(3).topk(3, 2, largest=False)
        weight = 1 / dist2.clamp(min=1e-10)
        weight = weight / weight.sum(2, keepdim=True)
        spread = torch.stack([(f[:, i] * w).sum(2) for f, i, w in zip(features, index, weight)])
        joined = spread if skip is None else torch.cat([spread, skip], 1)
        prefix = f'propagations.{level}.mlp'
        features = shared_mlp(joined[..., None], state, prefix, len(channels), training).squeeze(3)
        xyz = dense
    return features


def build(dtype: torch.dtype = torch.float64, **changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build({**SMALL, **changes}).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.3 if parameter.ndim == 1 else 0.0, 0.5)
    return model


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('channels', [4, 0])
def test_parity_with_the_plain_form(training, channels):
    model = build(in_channels=channels).train(training)
    clouds = [torch.rand(60, 3, dtype=torch.float64) for _ in range(2)]
    features = torch.randn(120, channels, dtype=torch.float64, requires_grad=True)
    # Statistics as they were before the forward pass; parameters themselves, for their gradients.
    state = {**{key: value.clone() for key, value in model.named_buffers()}, **dict(model.named_parameters())}
    ours = model(clouds, features if channels else None)
    dense = features.view(2, 60, channels).transpose(1, 2) if channels else None
    theirs = plain(state, clouds, dense, training).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(ours)
    wanted = [*model.parameters(), *([features] if channels else [])]
    gradients = [torch.autograd.grad((out * weight).sum(), wanted) for out in (ours, theirs)]
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_published_size():
    assert sum(p.numel() for p in MODELS.build(dict(type='PointNet2SSG')).parameters()) == 947_872


def test_samples_of_different_sizes_are_independent():
    model = build().eval()
    clouds = [torch.rand(size, 3, dtype=torch.float64) for size in (50, 1, 0, 7, 30)]
    features = [torch.randn(len(cloud), 4, dtype=torch.float64) for cloud in clouds]
    together = model(clouds, torch.cat(features))
    alone = torch.cat([model([cloud], rows) for cloud, rows in zip(clouds, features)])
    torch.testing.assert_close(together, alone)


def test_translation_and_permutation():
    model = build().eval()
    cloud, features = torch.rand(20, 3, dtype=torch.float64), torch.randn(20, 4, dtype=torch.float64)
    result = model([cloud], features)
    torch.testing.assert_close(model([cloud + 50], features), result)
    # Every point is a centroid and every ball holds all of its points, so that only the first point must stay.
    wide = build(num_centroids=(20, 20), max_neighbours=(20, 20)).eval()
    order = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(19) + 1])
    torch.testing.assert_close(wide([cloud[order]], features[order]), wide([cloud], features)[order])


@pytest.mark.parametrize('sizes', [(0,), (1,), (0, 3), (40, 0)])
def test_total(sizes):
    model = build(torch.float32).train()
    out = model([torch.rand(size, 3) for size in sizes], torch.randn(sum(sizes), 4))
    assert out.shape == (sum(sizes), 5) and out.isfinite().all()
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_interpolation_of_mmdet3d():
    """At a source itself the features of that source, whatever the weights; in the middle of two, their mean."""
    clouds = [torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.25, 0, 0], [90, 0, 0]])]
    features = torch.tensor([[0.0], [1.0], [0.0]])
    weights = {'squared': 0.1, 'linear': 0.25}
    for name, expected in weights.items():
        layer = MODELS.build(dict(SMALL, interpolation=name)).propagations[0]
        layer.mlp = nn.Identity()
        sparse = [torch.tensor([[0.0, 0, 0], [1, 0, 0], [5000, 0, 0]])]
        assert layer(clouds, sparse, None, features)[:3, 0].tolist() == pytest.approx([0, 1, expected], abs=1e-3)


def test_rows_of_all_clouds():
    index = [torch.tensor([[0, -1]]), torch.empty(0, 2, dtype=torch.long), torch.tensor([[1, 0]])]
    assert join_rows(index, [4, 0, 2]).tolist() == [[0, -1], [5, 4]]


def test_clear_errors():
    with pytest.raises(ValueError, match=r'need features of shape \(5, 4\) for these points, got \(5, 0\)'):
        build()([torch.rand(5, 3)])
    with pytest.raises(ValueError, match=r'have lengths \[2, 2, 1, 2, 2\]'):
        build(radii=(0.1,))
    with pytest.raises(ValueError, match="interpolation must be 'squared' or 'linear', got 'cubic'"):
        build(interpolation='cubic')
