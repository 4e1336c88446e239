"""UNetResNet34 against torchvision's ResNet-34 and a decoder written out."""

from __future__ import annotations

from typing import Dict, List

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torchvision.models import resnet34
from torchvision.models.resnet import BasicBlock, ResNet


def build(**options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(dict(type='UNetResNet34', depth=18, num_classes=5, dropout=0.0, **options)).double()
    for name, buffer in model.named_buffers():
        if name.endswith('running_var'):
            buffer.uniform_(0.5, 1.5)
    return model


def plain(state: Dict[str, Tensor], images: Tensor) -> List[Tensor]:
    """The published order in evaluation; ``state`` holds parameters and statistics by name."""
    trunk = ResNet(BasicBlock, [2, 2, 2, 2]).double().eval()
    trunk.conv1.stride = (1, 1)
    trunk.fc = nn.Identity()
    skips: List[Tensor] = []
    for name in ('relu', 'layer1', 'layer2', 'layer3', 'layer4'):
        getattr(trunk, name).register_forward_hook(lambda *call: skips.append(call[2]))
    height, width = images.shape[2:]
    images = F.pad(images, (0, (16 - width % 16) % 16, 0, (16 - height % 16) % 16))
    own = {key[len('trunk.'):]: value for key, value in state.items() if key.startswith('trunk.')}
    torch.func.functional_call(trunk, own, images)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f'{name}.running_mean'], state[f'{name}.running_var']
        return F.batch_norm(x, mean, var, state[f'{name}.weight'], state[f'{name}.bias']).relu()

    x = skips.pop()
    for level in range(4):
        up, merge = f'ups.{level}', f'merges.{level}'
        x = norm(F.conv_transpose2d(x, state[f'{up}.0.weight'], state[f'{up}.0.bias'], stride=2), f'{up}.1')
        x = torch.cat([x, skips.pop()], 1)
        x = norm(F.conv2d(x, state[f'{merge}.0.weight'], state[f'{merge}.0.bias'], padding=1), f'{merge}.1')
    x = x[:, :, :height, :width]
    return [x, F.conv2d(x, state['classifier.weight'], state['classifier.bias'])]


@pytest.mark.parametrize('height, width', [(32, 16), (17, 30)])
def test_parity_with_the_plain_form(height, width):
    model = build().eval()
    images = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    state = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    ours, theirs = model(images), plain(state, images)
    wanted = [images, *model.parameters()]
    weights = [torch.randn_like(out) for out in ours]
    gradients = []
    for outs in (ours, theirs):
        assert outs[0].shape == (2, 64, height, width) and outs[1].shape == (2, 5, height, width)
        gradients.append(torch.autograd.grad(sum((o * w).sum() for o, w in zip(outs, weights)), wanted))
    for one, other in [*zip(ours, theirs), *zip(*gradients)]:
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7 * float(other.abs().max()))


def test_published_size_and_names_of_torchvision():
    model = MODELS.build(dict(type='UNetResNet34'))
    assert sum(p.numel() for p in model.parameters()) == 23_615_572
    known = {key: value.shape for key, value in resnet34().state_dict().items() if not key.startswith('fc.')}
    assert {key: value.shape for key, value in model.trunk.state_dict().items()} == known


def test_no_images():
    model = build().train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    features, logits = model(torch.zeros(0, 3, 32, 48, dtype=torch.float64))
    assert features.shape == (0, 64, 32, 48) and logits.shape == (0, 5, 32, 48)
    (features.sum() + logits.sum()).backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_dropout_after_the_coarse_stages_only():
    model = build().train()
    calls: List[Tensor] = []
    model.dropout.register_forward_hook(lambda *call: calls.append(call[2]))
    model(torch.randn(2, 3, 32, 32, dtype=torch.float64))
    assert [tuple(x.shape[1:]) for x in calls] == [(256, 4, 4), (512, 2, 2)]


def test_clear_errors():
    with pytest.raises(ValueError, match=r'images must be \(B, 3, H, W\), got \(2, 4, 16, 16\)'):
        build()(torch.zeros(2, 4, 16, 16))
    with pytest.raises(ValueError, match='depth must be 18 or 34, got 50'):
        MODELS.build(dict(type='UNetResNet34', depth=50))
