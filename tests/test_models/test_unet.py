"""UNet: sizes in closed form, the wiring against a plain form, images of any size."""

from __future__ import annotations

from typing import Dict

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn


def build(**options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(dict(type='UNet', base_channels=4, **options)).double()
    for name, buffer in model.named_buffers():
        if name.endswith('running_var'):
            buffer.uniform_(0.5, 1.5)
    return model


def double(x: Tensor, state: Dict[str, Tensor], prefix: str) -> Tensor:
    for conv, norm in ((f'{prefix}.0', f'{prefix}.1'), (f'{prefix}.3', f'{prefix}.4')):
        x = F.conv2d(x, state[f'{conv}.weight'], padding=1)
        mean, var = state[f'{norm}.running_mean'], state[f'{norm}.running_var']
        x = F.batch_norm(x, mean, var, state[f'{norm}.weight'], state[f'{norm}.bias']).relu()
    return x


def plain(state: Dict[str, Tensor], images: Tensor) -> Tensor:
    """Four levels in evaluation, written out."""
    height, width = images.shape[2:]
    one = double(F.pad(images, (0, -width % 16, 0, -height % 16)), state, 'stem')
    two = double(F.max_pool2d(one, 2), state, 'downs.0')
    three = double(F.max_pool2d(two, 2), state, 'downs.1')
    four = double(F.max_pool2d(three, 2), state, 'downs.2')
    x = double(F.max_pool2d(four, 2), state, 'downs.3')
    for level, skip in enumerate((four, three, two, one)):
        up = F.conv_transpose2d(x, state[f'ups.{level}.weight'], state[f'ups.{level}.bias'], stride=2)
        x = double(torch.cat([skip, up], 1), state, f'merges.{level}')
    return F.conv2d(x[..., :height, :width], state['classifier.weight'], state['classifier.bias'])


@pytest.mark.parametrize('height, width', [(32, 48), (17, 30), (1, 40)])
def test_parity_with_the_plain_form(height, width):
    model = build().eval()
    images = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    state = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    ours, theirs = model(images), plain(state, images)
    assert ours.shape == (2, 1, height, width)
    weight, wanted = torch.randn_like(ours), [images, *model.parameters()]
    gradients = [torch.autograd.grad((out * weight).sum(), wanted) for out in (ours, theirs)]
    for one, other in [(ours, theirs), *zip(*gradients)]:
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8 * max(float(other.abs().max()), 1))


def test_size_in_closed_form():
    def double_size(width: int, channels: int) -> int:
        return 9 * width * channels + 9 * channels * channels + 4 * channels

    with torch.device('meta'):
        model = MODELS.build(dict(type='UNet'))
    expected = double_size(3, 64) + 64 + 1
    for fine in (64, 128, 256, 512):
        coarse = 2 * fine
        expected += double_size(fine, coarse) + (4 * coarse * fine + fine) + double_size(coarse, fine)
    assert sum(p.numel() for p in model.parameters()) == expected == 31_037_633


@pytest.mark.parametrize('height, width', [(1, 1), (16, 16), (5, 33)])
def test_a_single_small_image_is_trained_on(height, width):
    model = build().train()
    out = model(torch.randn(1, 3, height, width, dtype=torch.float64))
    out.sum().backward()
    assert out.shape == (1, 1, height, width) and out.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_clear_errors():
    with pytest.raises(ValueError, match=r'images must be \(B, 3, H, W\), none empty, got \(2, 4, 16, 16\)'):
        build()(torch.zeros(2, 4, 16, 16))
