"""The 3-D denoiser: published size in closed form, parts against plain formulas, and where each condition goes."""

from __future__ import annotations

import math
from typing import Any, Optional, Sequence

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.models.diffusion import UNet3D
from mmfusion_plugin.models.diffusion.unet3d_blocks import (
    TimedResBlock3D,
    VoxelAttention,
    fold_cubes,
    time_features,
    unfold_cubes,
)

SMALL = dict(model_channels=8, channel_mult=(1, 2), num_res_blocks=1, attention_at=(2,), num_groups=4)
CONDITION = dict(embed_dim=6, num_tokens=3, token_channels=5)
CPU_SIZED = dict(model_channels=8, channel_mult=(1, 2, 4), num_res_blocks=1, num_groups=8, embed_dim=256,
                 token_channels=32)  # fmt: skip


def closed_form(
    c: int = 32, mult: Sequence[int] = (1, 2, 4, 8), blocks: int = 5, at: Sequence[int] = (4, 8),
    dim: Optional[int] = None, tokens: int = 4, width: int = 256, cube: int = 1,
) -> int:  # fmt: skip
    """Parameters, added up from the description: convolutions 27 ab + b, linear layers ab + b, norms 2a."""
    time = 4 * c

    def block(a: int, b: int) -> int:
        shortcut = 0 if a == b else a * b + b
        return 2 * a + (27 * a * b + b) + (time + 1) * 2 * b + 2 * b + (27 * b * b + b) + shortcut

    def attention(a: int) -> int:
        return 2 * a + 4 * (a * a + a) + ((width + 1) * 2 * a if dim else 0)

    total = (c + 1) * time + (time + 1) * time + 27 * cube * c + c + 2 * c + (27 * c + 1) * cube
    total += (dim + 1) * (time + tokens * width) + dim if dim else 0
    levels = [(c * factor, attention(c * factor) if 2**level in at else 0) for level, factor in enumerate(mult)]
    widths, skips = [a for a, _ in levels], [c]
    for level, (a, attend) in enumerate(levels):
        before = widths[max(level - 1, 0)]
        total += block(before, a) + (blocks - 1) * block(a, a) + blocks * attend
        total += 0 if level == 0 else 27 * before * before + before
        skips += ([before] if level else []) + [a] * blocks
    total += 2 * block(a, a) + attention(a)
    now = a
    for level, (a, attend) in reversed([*enumerate(levels)]):
        for _ in range(blocks + 1):
            total += block(now + skips.pop(), a) + attend
            now = a
        total += 27 * a * a + a if level else 0
    return total


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def build(**options: Any) -> UNet3D:
    torch.manual_seed(0)
    return UNet3D(**{**SMALL, **options})


def woken(model: nn.Module) -> nn.Module:
    """With other numbers in every parameter, so that nothing starts at zero."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def test_published_size():
    with torch.device('meta'):
        sizes = [size(UNet3D(embed_dim=dim)) for dim in (None, 256, 512)]
        condition = size(UNet3D(embed_dim=256).condition)
        small = [size(UNet3D(**SMALL, **more)) for more in ({}, CONDITION)]
        cpu = size(UNet3D(**CPU_SIZED))
    assert sizes == [80_561_793, 83_160_833, 83_456_001] == [closed_form(dim=dim) for dim in (None, 256, 512)]
    assert sizes[1] - condition == 82_864_513 == pytest.approx(82.9e6, rel=5e-4)
    assert small == [closed_form(8, (1, 2), 1, (2,)), closed_form(8, (1, 2), 1, (2,), 6, 3, 5)]
    assert cpu == closed_form(8, (1, 2, 4), 1, (4, 8), 256, 4, 32) < 1_000_000


def test_names_of_the_parameters():
    """By which checkpoints are loaded."""
    block = ['norm1', 'conv1', 'time', 'norm2', 'conv2']
    wide = [*block, 'shortcut']
    attention = ['norm', 'qkv', 'out', 'token_kv']
    parts = ['time.0', 'time.2', 'condition.to_time', 'condition.to_tokens', 'stem', 'halvings.0', 'doublings.0.1']
    parts += ['out.0', 'out.2']
    for stage, names, attend in (('downs.0.0', block, False), ('downs.1.0', wide, True), ('middle.0', block, True),
                                 ('middle.1', block, False), ('ups.0.0', wide, True), ('ups.0.1', wide, True),
                                 ('ups.1.0', wide, False), ('ups.1.1', wide, False)):  # fmt: skip
        parts += [f'{stage}.block.{name}' for name in names]
        parts += [f'{stage}.attention.{name}' for name in attention] if attend else []
    names = {f'{part}.{kind}' for part in parts for kind in ('weight', 'bias')} | {'condition.null'}
    assert set(build(**CONDITION).state_dict()) == names


@pytest.mark.parametrize('side', [1, 2, 3])
def test_cubes_are_folded_and_unfolded(side):
    x = torch.randn(2, 3, 2 * side, side, 3 * side)
    cells = fold_cubes(x, side)
    assert cells.shape == (2, 3 * side**3, 2, 1, 3) and torch.equal(unfold_cubes(cells, side), x)
    for channel, place in ((0, (1, 0, 2)), (2, (0, 0, 1))):
        a, b, c = (slice(side * index, side * (index + 1)) for index in place)
        own = cells[(slice(None), slice(channel * side**3, (channel + 1) * side**3), *place)]
        assert torch.equal(own, x[:, channel, a, b, c].flatten(1))
    assert fold_cubes(x[:0], side).shape == (0, 3 * side**3, 2, 1, 3)
    assert unfold_cubes(cells[:0], side).shape == (0, *x.shape[1:])


def test_a_network_of_cubes():
    """It is the network of the folded voxels."""
    folding, plain = woken(build(patch_size=2, **CONDITION)), woken(build(in_channels=8, **CONDITION))
    assert size(folding) == size(plain) == closed_form(8, (1, 2), 1, (2,), 6, 3, 5, 8)
    plain.load_state_dict(folding.state_dict())
    x, t, embedding = torch.randn(2, 1, 8, 4, 8), torch.tensor([3, 700]), torch.randn(2, 6)
    torch.testing.assert_close(folding(x, t, embedding), unfold_cubes(plain(fold_cubes(x, 2), t, embedding), 2))
    assert folding.stride == 4
    with pytest.raises(ValueError, match='with sides that 4 divides'):
        folding(torch.zeros(2, 1, 8, 8, 6), t, embedding)


def test_a_fresh_network_returns_zeros_and_a_woken_one_does_not():
    x, t, embedding = torch.randn(2, 1, 8, 8, 8), torch.tensor([3, 700]), torch.randn(2, 6)
    assert not build()(x, t).any() and not build(**CONDITION)(x, t, embedding).any()
    assert woken(build())(x, t).shape == x.shape and woken(build())(x, t).any()
    block, attention = TimedResBlock3D(8, 8, 5, 4), VoxelAttention(8, num_groups=4)
    hidden = torch.randn(2, 8, 4, 4, 4)
    assert torch.equal(block(hidden, torch.randn(2, 5)), hidden) and torch.equal(attention(hidden), hidden)


def test_time_features_by_hand():
    t, found = [0, 1, 999], time_features(torch.tensor([0, 1, 999]), 7)
    expected = [[f(step / 10000 ** (i / 3)) for f in (math.cos, math.sin) for i in range(3)] + [0] for step in t]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def normed(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    rows = x.reshape(len(x), norm.num_groups, -1)
    rows = (rows - rows.mean(2, keepdim=True)) / (rows.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return rows.view_as(x) * norm.weight.view(-1, 1, 1, 1) + norm.bias.view(-1, 1, 1, 1)


@pytest.mark.parametrize('heads', [1, 2])
@pytest.mark.parametrize('tokens', [None, 3])
def test_attention_by_hand(heads, tokens):
    model = woken(VoxelAttention(8, heads, tokens and 5, 4)).double()
    x = torch.randn(2, 8, 2, 3, 2, dtype=torch.float64)
    given = torch.randn(2, tokens, 5, dtype=torch.float64) if tokens else None
    expected = x.clone()
    for row, voxels in enumerate(normed(x, model.norm)):
        seen = voxels.flatten(1).T @ model.qkv.weight.T + model.qkv.bias
        query, key, value = seen[:, :8], seen[:, 8:16], seen[:, 16:]
        if tokens:
            more = given[row] @ model.token_kv.weight.T + model.token_kv.bias
            key, value = torch.cat([key, more[:, :8]]), torch.cat([value, more[:, 8:]])
        parts = []
        for head in torch.arange(8).chunk(heads):
            weight = (query[:, head] @ key[:, head].T / len(head) ** 0.5).exp()
            parts.append(weight / weight.sum(1, keepdim=True) @ value[:, head])
        mixed = torch.cat(parts, 1) @ model.out.weight.T + model.out.bias
        expected[row] += mixed.T.reshape(8, 2, 3, 2)
    torch.testing.assert_close(model(x, given), expected)


def test_residual_block_by_hand():
    model = woken(TimedResBlock3D(4, 8, 5, 4)).double()
    x, time = torch.randn(2, 4, 3, 3, 3, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    silu = lambda v: v / (1 + (-v).exp())  # noqa: E731
    hidden = torch.conv3d(silu(normed(x, model.norm1)), model.conv1.weight, model.conv1.bias, padding=1)
    of_time = silu(time) @ model.time.weight.T + model.time.bias
    scale, shift = of_time[:, :8, None, None, None], of_time[:, 8:, None, None, None]
    hidden = silu(normed(hidden, model.norm2) * (1 + scale) + shift)
    shortcut = torch.einsum('oi,bixyz->boxyz', model.shortcut.weight[:, :, 0, 0, 0], x)
    shortcut = shortcut + model.shortcut.bias.view(-1, 1, 1, 1)
    expected = shortcut + torch.conv3d(hidden, model.conv2.weight, model.conv2.bias, padding=1)
    torch.testing.assert_close(model(x, time), expected)


@pytest.mark.parametrize('options', [{}, CONDITION, dict(channel_mult=(1, 1, 2), num_heads=2, num_res_blocks=2),
                                     dict(CONDITION, attention_at=())])  # fmt: skip
@pytest.mark.parametrize('drop', [None, (True, False), (False, False), (True, True)])
def test_every_parameter_has_a_gradient(options, drop):
    model = woken(build(**options))
    drop = None if drop is None else torch.tensor(drop)
    out = model(torch.randn(2, 1, 8, 8, 8), torch.tensor([5, 900]), torch.randn(2, 6), drop)
    (out * torch.randn_like(out)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    silent = {key for key, p in model.named_parameters() if not p.grad.any()}
    used = drop is not None and bool(drop.any())
    assert silent == ({'condition.null'} if 'embed_dim' in options and not used else set())


def test_both_ways_of_the_condition_matter_and_the_null_token_replaces_it():
    model = woken(build(**CONDITION))
    x, t, embedding = torch.randn(2, 1, 8, 8, 8), torch.tensor([5, 900]), torch.randn(2, 6)
    given = model(x, t, embedding)
    null = model(x, t, model.condition.null.expand(2, -1))
    dropped = model(x, t, embedding, torch.tensor([False, True]))
    torch.testing.assert_close(dropped, torch.stack([given[0], null[1]]))
    assert not torch.allclose(given[1], null[1], atol=1e-3)
    for way in ('to_time', 'to_tokens'):
        cut = woken(build(**CONDITION))
        nn.init.zeros_(getattr(cut.condition, way).weight)
        assert not torch.allclose(cut(x, t, embedding), cut(x, t, -embedding), atol=1e-3)
    for way in ('to_time', 'to_tokens'):
        nn.init.zeros_(getattr(model.condition, way).weight)
    torch.testing.assert_close(model(x, t, embedding), model(x, t, -embedding))


def test_gradients_of_the_network():
    model = woken(build(**CONDITION)).double()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = torch.randn(1, 1, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    embedding = torch.randn(1, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: model(a, torch.tensor([3]), b), (x, embedding), atol=1e-4)


def test_rows_do_not_mix_and_none_is_enough():
    model = woken(build(**CONDITION))
    x, t, embedding = torch.randn(3, 1, 4, 8, 6), torch.tensor([0, 5, 999]), torch.randn(3, 6)
    torch.testing.assert_close(model(x[1:2], t[1:2], embedding[1:2]), model(x, t, embedding)[1:2])
    assert model(x[:0], t[:0], embedding[:0]).shape == (0, 1, 4, 8, 6)


def test_errors_of_the_denoiser():
    with pytest.raises(ValueError, match='model_channels=8 must be a multiple of num_groups=32'):
        UNet3D(model_channels=8)
    for wrong in (torch.zeros(2, 1, 8, 8), torch.zeros(2, 2, 8, 8, 8), torch.zeros(2, 1, 8, 7, 8)):
        with pytest.raises(ValueError, match='need voxels .B, 1, X, Y, Z. with sides that 2 divides'):
            build()(wrong, torch.zeros(2))
    for wrong in (None, torch.zeros(2, 7), torch.zeros(6)):
        with pytest.raises(ValueError, match=r'needs an embedding \(B, 6\), got .*: set its embed_dim'):
            MODELS.build(dict(SMALL, type='UNet3D', **CONDITION))(torch.zeros(2, 1, 8, 8, 8), torch.zeros(2), wrong)
