"""ResNetFCN against the published order of evaluation: four maps at the image's size, read at integer pixels."""

from __future__ import annotations

from typing import Dict, List

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torchvision.models import resnet34
from torchvision.models.resnet import BasicBlock, ResNet

from mmfusion_plugin.models.backbones import conv_at_cells as module
from mmfusion_plugin.models.backbones.conv_at_cells import conv_at_cells

SMALL = dict(type='ResNetFCN', depth=18, base_channels=64, channels=24)


def published_forward(
    state: Dict[str, Tensor], images: Tensor, rows: Tensor, columns: Tensor, index: Tensor, training: bool
) -> List[Tensor]:
    """torchvision's ResNet-18 with a stem of stride 1; full-resolution maps, nearest upsampling, integer reads.

    ``state`` holds the model's parameters by name, and its gradients after a backward pass.
    """
    trunk = ResNet(BasicBlock, [2, 2, 2, 2]).to(images.dtype)
    trunk.conv1.stride = (1, 1)
    trunk.fc = nn.Identity()
    trunk.train(training)
    stages: List[Tensor] = []
    for name in ('layer1', 'layer2', 'layer3', 'layer4'):
        getattr(trunk, name).register_forward_hook(lambda *call: stages.append(call[2]))
    torch.func.functional_call(
        trunk, {key[len('trunk.'):]: value for key, value in state.items() if key.startswith('trunk.')}, images
    )
    decoded = []
    for level, (stage, factor) in enumerate(zip(stages, (2, 4, 4, 4))):
        x = F.relu(F.conv2d(stage, state[f'decoders.{level}.0.weight'], padding=3))
        for layer in range(2, 2 * level - 1, 2):
            name = f'decoders.{level}.{layer}'
            x = F.relu(F.conv_transpose2d(x, state[f'{name}.weight'], state[f'{name}.bias'], 2, 1, 1))
        full = F.interpolate(x, scale_factor=factor, mode='nearest')
        assert full.shape[2:] == images.shape[2:]
        decoded.append(full.permute(0, 2, 3, 1)[index, rows, columns])
    return decoded


def build(dtype: torch.dtype = torch.float64, **changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(dict(SMALL, **changes))
    model.init_weights()
    return model.to(dtype)


def batch(model: nn.Module, count: int = 200) -> tuple:
    """Two images of 48 x 64 and integer pixels, some of them twice."""
    dtype = next(model.parameters()).dtype
    images = torch.randn(2, 3, 48, 64, dtype=dtype)
    columns, rows, index = torch.randint(64, (count,)), torch.randint(48, (count,)), torch.randint(2, (count,))
    return images, columns, rows, index


@pytest.mark.parametrize('share', [0.0, 2.0], ids=['dense', 'gathered'])
@pytest.mark.parametrize('dtype, training, limit', [(torch.float64, True, 1e-10), (torch.float32, False, 1e-5)])
def test_equals_full_resolution_maps(monkeypatch, dtype, training, limit, share):
    # Batch statistics in double precision: in single, a last bit now and then carries a value across a ReLU's kink.
    monkeypatch.setattr(module, 'GATHER_SHARE', share)
    monkeypatch.setattr(module, 'CHUNK_NUMBERS', 64 * 49 * 37)  # several chunks, the last one shorter
    model = build(dtype).train(training)
    images, columns, rows, index = batch(model)
    # Anywhere in the pixel whose centre is at the integer.
    pixels = torch.stack([columns, rows], 1) + torch.rand(len(rows), 2, dtype=dtype) * 0.98 - 0.49
    state = {key: value.detach().clone() for key, value in model.state_dict().items()}
    for key, _ in model.named_parameters():
        state[key].requires_grad_()
    expected = published_forward(state, images, rows, columns, index, training)
    got = model(images, pixels, index)
    probes = [torch.randn_like(level) for level in expected]
    for levels in (expected, got):
        sum((level * probe).sum() for level, probe in zip(levels, probes)).backward()
    for level, other in zip(got, expected):
        assert level.shape == (len(rows), 24) and other.abs().max() > 0.1
        assert (level - other).abs().max() <= limit * other.abs().max()
    for key, parameter in model.named_parameters():
        scale = state[key].grad.abs().max()
        assert scale > 0, key
        assert (parameter.grad - state[key].grad).abs().max() <= limit * scale, key
    for key, buffer in model.named_buffers():
        torch.testing.assert_close(buffer, state[key], rtol=1e-5, atol=1e-6, check_dtype=False)


@pytest.mark.parametrize('size', [1, 3, 7])
def test_both_ways_of_reading_a_convolution(size):
    torch.manual_seed(0)
    feature_map = torch.randn(2, 5, 6, 9, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 5, size, size, dtype=torch.float64, requires_grad=True)
    cells = torch.tensor([0, 5, 53, 54, 60, 107])  # corners of both images among them
    expected = F.conv2d(feature_map, weight, padding=size // 2).permute(0, 2, 3, 1).reshape(-1, 4)[cells]
    probe = torch.randn_like(expected)
    gradient = torch.autograd.grad((expected * probe).sum(), (feature_map, weight))
    for gather in (True, False):
        got = conv_at_cells(feature_map, weight, cells, gather)
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
        found = torch.autograd.grad((got * probe).sum(), (feature_map, weight))
        torch.testing.assert_close(found, gradient, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x, w: conv_at_cells(x, w, cells, True), (feature_map, weight))


def test_parameters_at_the_papers_setting():
    model = MODELS.build(dict(type='ResNetFCN'))
    assert sum(p.numel() for p in model.trunk.parameters()) == 21_284_672
    assert sum(p.numel() for p in model.decoders.parameters()) == 5_149_248
    torchvision = {key for key in resnet34(weights=None).state_dict() if not key.startswith('fc.')}
    assert set(model.trunk.state_dict()) == torchvision
    assert model.strides == (2, 4, 8, 16) and model.channels == 256


def test_trunk_starts_from_torchvisions_weights(tmp_path):
    weights = ResNet(BasicBlock, [2, 2, 2, 2]).state_dict()
    torch.save(weights, tmp_path / 'resnet18.pth')
    model = build(torch.float32, trunk_init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'resnet18.pth')))
    for key, value in model.trunk.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0, atol=0)


def test_pixels_outside_give_zeros():
    model = build().eval()
    pixels = torch.tensor([[-1, -1], [-0.51, 3], [63.6, 3], [5, 47.6], [-0.5, -0.5], [63.4, 47.4]], dtype=torch.float64)
    images = torch.randn(1, 3, 48, 64, dtype=torch.float64)
    for level in model(images, pixels, torch.zeros(6, dtype=torch.long)):
        assert not level[:4].any() and level[4:].any(dim=1).all()


def test_no_pixel_gives_every_parameter_a_zero_gradient():
    model = build(torch.float32)
    images, columns, rows, index = batch(model, 0)
    levels = model(images, torch.stack([columns, rows], 1).float(), index)
    assert [level.shape for level in levels] == [(0, 24)] * 4
    sum(level.sum() for level in levels).backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_bfloat16_autocast_reads_the_dense_convolution():
    torch.manual_seed(0)
    feature_map = torch.randn(1, 8, 12, 20).bfloat16().requires_grad_()
    weight = torch.randn(16, 8, 7, 7, requires_grad=True)
    cells = torch.arange(0, 240, 7)
    found = []
    for gather in (True, False):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            got = conv_at_cells(feature_map, weight, cells, gather)
        assert got.dtype == torch.bfloat16
        found.append([got, *torch.autograd.grad(got.float().square().sum(), (feature_map, weight))])
    for ours, dense in zip(*found):
        assert ours.dtype == dense.dtype
        assert (ours - dense).float().abs().max() < 0.02 * dense.float().abs().max()


@pytest.mark.parametrize(
    'images, pixels, index, message',
    [
        (torch.zeros(1, 3, 40, 64), torch.zeros(2, 2), torch.zeros(2).long(), 'multiples of 16'),
        (torch.zeros(3, 48, 64), torch.zeros(2, 2), torch.zeros(2).long(), 'multiples of 16'),
        (torch.zeros(1, 3, 48, 64), torch.zeros(2, 3), torch.zeros(2).long(), r'pixels must be \(N, 2\)'),
        (torch.zeros(1, 3, 48, 64), torch.zeros(2, 2), torch.ones(2).long(), 'image_index reaches'),
    ],
)
def test_wrong_shapes_are_named(images, pixels, index, message):
    with pytest.raises(ValueError, match=message):
        build(torch.float32)(images, pixels, index)


def test_other_depths_are_refused():
    with pytest.raises(ValueError, match='depth must be 18 or 34, got 50'):
        build(depth=50)
