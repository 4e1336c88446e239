"""CrossModalAttention against attention written out, with clouds of any size."""

from __future__ import annotations

from typing import List

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

DIRECTIONS = ['image-to-point', 'point-to-image', 'both']


def build(dtype: torch.dtype = torch.float64, **options) -> nn.Module:
    torch.manual_seed(0)
    sizes = dict(image_channels=6, point_channels=5, channels=8, num_heads=2)
    model = MODELS.build(dict(type='CrossModalAttention', **sizes, **options)).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.0, 0.5)
    return model


def look(query: Tensor, key: Tensor, layer: nn.Module) -> Tensor:
    """(M, 8) queries and (N, 8) keys with two heads of 4, to (M, 8)."""
    attention = layer.attention
    q, k, v = (F.linear(x, weight, bias) for x, weight, bias in zip(
        (query, key, key), attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)))
    heads = [(q[:, s] @ k[:, s].t() / 2).softmax(1) @ v[:, s] for s in (slice(0, 4), slice(4, 8))]
    seen = attention.out_proj(torch.cat(heads, 1))
    return F.layer_norm(query + seen, (8,), layer.norm.weight, layer.norm.bias)


def plain(model: nn.Module, image_map: Tensor, clouds: List[Tensor], direction: str, pool: str) -> Tensor:
    rows = []
    for cells, cloud in zip(image_map, clouds):
        image = model.image_proj(torch.stack([cells[:, v, u] for v in range(2) for u in range(3)]))
        points = model.point_proj(cloud if len(cloud) else torch.zeros(1, 5).to(cells))
        new_image = image if direction == 'point-to-image' else look(image, points, model.image_looks)
        new_points = points if direction == 'image-to-point' else look(points, image, model.points_look)
        rows.append(torch.cat([x.mean(0) if pool == 'mean' else x.max(0).values for x in (new_image, new_points)]))
    return torch.stack(rows)


@pytest.mark.parametrize('direction', DIRECTIONS)
@pytest.mark.parametrize('pool', ['mean', 'max'])
@pytest.mark.parametrize('sizes', [(4, 1, 0, 3), (3, 3)])
def test_parity_with_the_plain_form(direction, pool, sizes):
    model = build(direction=direction, pool=pool).train()
    image_map = torch.randn(len(sizes), 6, 2, 3, dtype=torch.float64)
    clouds = [torch.randn(size, 5, dtype=torch.float64) for size in sizes]
    ours, theirs = model(image_map, clouds), plain(model, image_map, clouds, direction, pool)
    assert ours.shape == (len(sizes), model.out_channels)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((out * weight).sum(), list(model.parameters())) for out in (ours, theirs)]
    for one, other in [(ours, theirs), *zip(*gradients)]:
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_size_in_closed_form(direction):
    with torch.device('meta'):
        model = MODELS.build(dict(type='CrossModalAttention', direction=direction))
    layer = 4 * 512 * 512 + 4 * 512 + 2 * 512
    expected = (2048 + 1) * 512 + (1024 + 1) * 512 + layer * (2 if direction == 'both' else 1)
    assert sum(p.numel() for p in model.parameters()) == expected and model.out_channels == 1024


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_empty_clouds_alone(direction):
    model = build(torch.float32, direction=direction).train()
    tokens = torch.zeros(0, 5, requires_grad=True)
    out = model(torch.randn(2, 6, 2, 3), [tokens, tokens])
    out.sum().backward()
    assert out.isfinite().all() and tokens.grad is not None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_clear_errors():
    with pytest.raises(ValueError, match="direction must be one of .* got 'image'"):
        build(direction='image')
    with pytest.raises(ValueError, match="pool must be 'mean' or 'max', got 'sum'"):
        build(pool='sum')
