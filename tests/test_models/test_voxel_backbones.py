"""VoxelViT against its formula in plain torch and the published size, VoxelCNN against torch's functions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmfusion_plugin.models.backbones import VoxelCNN, VoxelViT

pytest.importorskip('mmpretrain')
ARCH = dict(embed_dims=12, num_layers=3, num_heads=3, feedforward_channels=20)


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def tiny(**options) -> VoxelViT:
    return VoxelViT(**{**dict(arch=ARCH, resolution=8, patch_size=4), **options})


def shuffled(model: nn.Module) -> nn.Module:
    """The same in float64, with every parameter at random: none is left at 0 or 1, where it would not show."""
    for parameter in model.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.eval()


def vit_by_hand(weights: dict, voxels: Tensor, cube: int, heads: int) -> Tensor:
    """Cube by cube, head by head; the class token of each sample."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * weights[f'{name}.weight'] + weights[f'{name}.bias']

    kernel, results = weights['patch_embed.weight'], []
    starts = range(0, voxels.shape[-1], cube)
    for volume in voxels:
        tokens = [weights['cls_token'][0, 0]]
        for x in starts:
            for y in starts:
                for z in starts:
                    part = volume[:, x : x + cube, y : y + cube, z : z + cube]
                    tokens.append((kernel * part).sum((1, 2, 3, 4)) + weights['patch_embed.bias'])
        x = torch.stack(tokens) + weights['pos_embed'][0]
        for name in sorted({key.split('.')[1] for key in weights if key.startswith('layers.')}):
            name, looked = f'layers.{name}', []
            qkv = linear(norm(x, f'{name}.ln1'), f'{name}.attn.qkv').chunk(3, -1)
            for q, k, v in zip(*(part.chunk(heads, -1) for part in qkv)):
                weight = (q @ k.T / math.sqrt(q.shape[1])).exp()
                looked.append(weight @ v / weight.sum(1, keepdim=True))
            x = x + linear(torch.cat(looked, 1), f'{name}.attn.proj')
            hidden = linear(norm(x, f'{name}.ln2'), f'{name}.ffn.layers.0.0')
            hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
            x = x + linear(hidden, f'{name}.ffn.layers.1')
        results.append(norm(x, 'ln1')[0])
    return torch.stack(results)


def test_size_of_the_released_code():
    with torch.device('meta'):
        assert size(VoxelViT()) == 21_516_672
        base = VoxelViT('base')
    width = 768
    layer = (3 * width + width + 4 * width + 4 * width) * width + (3 + 1 + 4 + 1 + 4) * width
    assert size(base) == (512 + 1) * width + (1 + 65) * width + 12 * layer + 2 * width
    assert base.out_channels == width and VoxelViT(ARCH, 16, 4).pos_embed.shape == (1, 65, 12)


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('training', [False, True])
def test_vit_by_hand(channels, training):
    model = shuffled(tiny(in_channels=channels)).train(training)
    voxels = torch.rand(3, channels, 8, 8, 8) > 0.6
    (feature,) = model(voxels)
    expected = vit_by_hand(dict(model.state_dict()), voxels.double(), 4, 3)
    assert feature.shape == (3, 12) and expected.std(0).min() > 1e-3
    torch.testing.assert_close(feature, expected, rtol=1e-9, atol=1e-9)


def test_its_layers_have_the_names_of_mmpretrain_s_deit():
    deit = MODELS.build(dict(type='mmpretrain.VisionTransformer', arch=ARCH, img_size=16, patch_size=8))
    own, theirs = tiny().state_dict(), deit.state_dict()
    shapes = {key: value.shape for key, value in own.items() if not key.startswith('patch_embed')}
    same = {key: value.shape for key, value in theirs.items() if key in shapes}
    assert set(own) - set(theirs) == {'patch_embed.weight', 'patch_embed.bias'}
    assert {key for key in shapes if shapes[key] != same[key]} == {'pos_embed'}


def test_stochastic_depth_grows_and_only_in_training():
    model = tiny(drop_path_rate=0.5)
    assert [layer.attn.out_drop.drop_prob for layer in model.layers] == [0, 0.25, 0.5]
    voxels = torch.rand(16, 1, 8, 8, 8) > 0.5
    assert torch.equal(model.eval()(voxels)[0], model(voxels)[0])
    assert not torch.equal(model.train()(voxels)[0], model(voxels)[0])


def test_cnn_by_hand():
    model = shuffled(VoxelCNN(2, (16, 40, 64)))
    voxels, weights = torch.rand(2, 2, 16, 16, 16) > 0.5, list(model.state_dict().values())
    x = voxels.double()
    for number, groups in enumerate([1, 1, 2, 2, 4, 4]):
        kernel, scale, shift = weights[3 * number : 3 * number + 3]
        x = F.conv3d(x, kernel, stride=2 - number % 2, padding=1)
        parts = x.reshape(2, groups, -1)
        parts = (parts - parts.mean(2, keepdim=True)) / (parts.var(2, keepdim=True, unbiased=False) + 1e-5).sqrt()
        x = (parts.reshape(x.shape) * scale.view(-1, 1, 1, 1) + shift.view(-1, 1, 1, 1)).clamp(min=0)
    assert x.shape == (2, 64, 2, 2, 2)
    torch.testing.assert_close(model(voxels)[0], x.mean((2, 3, 4)))
    with torch.device('meta'):
        assert size(VoxelCNN()) == 14_050_752


@pytest.mark.parametrize('model', [tiny(), VoxelCNN(1, (4, 8))], ids=['vit', 'cnn'])
def test_any_batch(model):
    for voxels in (torch.zeros(1, 1, 8, 8, 8), torch.ones(2, 1, 8, 8, 8).byte(), torch.zeros(0, 1, 8, 8, 8)):
        model.zero_grad()
        (feature,) = model.train()(voxels)
        assert feature.shape == (len(voxels), model.out_channels) and feature.dtype == torch.float32
        feature.square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('scope', ['mmdet3d', 'mmpretrain'])
def test_builds_in_configs_of_both_libraries(scope):
    with DefaultScope.overwrite_default_scope(scope):
        assert isinstance(MODELS.build(dict(type='mmdet3d.VoxelViT', arch=ARCH)), VoxelViT)
        assert isinstance(MODELS.build(dict(type='mmdet3d.VoxelCNN', channels=(4,))), VoxelCNN)


def test_clear_errors():
    for arch in ('large', dict(embed_dims=4), dict(ARCH, depth=3)):
        with pytest.raises(ValueError, match="arch must be one of .'base', 'small', 'tiny'. or a dict of"):
            VoxelViT(arch)
    with pytest.raises(ValueError, match='embed_dims=12 does not divide into 5 heads'):
        VoxelViT(dict(ARCH, num_heads=5))
    with pytest.raises(ValueError, match='cubes of 5.3 do not fill 32.3 voxels'):
        VoxelViT(ARCH, patch_size=5)
    for shape in ((8, 8, 8), (1, 2, 8, 8, 8), (1, 1, 16, 16, 16), (1, 1, 8, 8, 4)):
        with pytest.raises(ValueError, match='voxels must be .B, 1, 8, 8, 8., got'):
            tiny()(torch.zeros(shape))
    with pytest.raises(ValueError, match='voxels must be .B, 1, R, R, R., got'):
        VoxelCNN(1, (4,))(torch.zeros(1, 2, 8, 8, 8))
