"""PointNet against the plain form with 1 x 1 convolutions on clouds of one size."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.models.layers.transform_net import TransformNet, orthogonality, transform_rows

SMALL = dict(
    type='PointNet', local_channels=(6, 5), global_channels=(7, 8), transform_channels=(6, 9), transform_hidden=(7, 6)
)


def build(dtype: torch.dtype = torch.float64, **options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build({**SMALL, **options}).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.3 if parameter.ndim == 1 else 0.0, 0.5)
    for name, buffer in model.named_buffers():
        if name.endswith('running_var'):
            buffer.uniform_(0.5, 1.5)
    return model


def layers(x: Tensor, state: Dict[str, Tensor], prefix: str, count: int, training: bool) -> Tensor:
    """(B, C, N) or (B, C) through convolutions or linear maps, batch normalisation and ReLU."""
    for layer in range(count):
        weight, norm = state[f'{prefix}.{3 * layer}.weight'], f'{prefix}.{3 * layer + 1}'
        x = F.conv1d(x, weight[..., None]) if x.ndim == 3 else F.linear(x, weight)
        mean, var = state[f'{norm}.running_mean'], state[f'{norm}.running_var']
        x = F.batch_norm(x, mean, var, state[f'{norm}.weight'], state[f'{norm}.bias'], training).relu()
    return x


def matrix_of(x: Tensor, state: Dict[str, Tensor], prefix: str, training: bool) -> Tensor:
    cloud = layers(x, state, f'{prefix}.point_mlp', 2, training).max(2).values
    cloud = layers(cloud, state, f'{prefix}.cloud_mlp', 2, training)
    return F.linear(cloud, state[f'{prefix}.matrix.weight'], state[f'{prefix}.matrix.bias']).view(-1, *x.shape[1:2] * 2)


def plain(state: Dict[str, Tensor], clouds: Tensor, training: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """Features of clouds (B, N, 3 + C) and points, and the term of orthogonality, written from the description."""
    moved = torch.bmm(clouds[..., :3], matrix_of(clouds[..., :3].transpose(1, 2), state, 'input_transform', training))
    x = torch.cat([moved, clouds[..., 3:]], 2).transpose(1, 2)
    x = layers(x, state, 'local_mlp', 2, training)
    matrix = matrix_of(x, state, 'feature_transform', training)
    x = layers(torch.bmm(x.transpose(1, 2), matrix).transpose(1, 2), state, 'global_mlp', 2, training)
    term = sum(torch.linalg.matrix_norm(torch.eye(5).to(a) - a @ a.t()) ** 2 for a in matrix) / len(matrix)
    return x.max(2).values, x.transpose(1, 2), 0.001 * term


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('colours', [0, 3])
def test_parity_with_the_plain_form(training, colours):
    model = build(in_channels=colours).train(training)
    clouds = torch.randn(3, 11, 3 + colours, dtype=torch.float64, requires_grad=True)
    # Statistics as they were before the forward pass; parameters themselves, for their gradients.
    state = {**{key: value.clone() for key, value in model.named_buffers()}, **dict(model.named_parameters())}
    out = model(list(clouds))
    ours = (out.pooled, torch.stack(out.tokens), out.losses['loss_orthogonality'])
    theirs = plain(state, clouds, training)
    weights = [torch.randn_like(part) for part in ours]
    wanted = [clouds, *model.parameters()]
    gradients = [torch.autograd.grad(sum((p * w).sum() for p, w in zip(parts, weights)), wanted)
                 for parts in (ours, theirs)]
    for one, other in [*zip(ours, theirs), *zip(*gradients)]:
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def mlp_size(width: int, channels: Sequence[int]) -> int:
    """Linear maps without bias, scale and shift of the normalisation."""
    return sum(before * after + 2 * after for before, after in zip([width, *channels], channels))


def transform_size(dims: int) -> int:
    return mlp_size(dims, (64, 128, 1024)) + mlp_size(1024, (512, 256)) + (256 + 1) * dims * dims


@pytest.mark.parametrize('colours', [0, 3])
@pytest.mark.parametrize('first', [True, False])
@pytest.mark.parametrize('second', [True, False])
def test_size_in_closed_form(colours, first, second):
    with torch.device('meta'):
        options = dict(input_transform=first, feature_transform=second, in_channels=colours)
        model = MODELS.build(dict(type='PointNet', **options))
    expected = mlp_size(3 + colours, (64, 64)) + mlp_size(64, (64, 128, 1024))
    expected += first * transform_size(3) + second * transform_size(64)
    assert sum(p.numel() for p in model.parameters()) == expected
    assert (expected == 2_806_793) == (first and second and not colours)


def test_transforms_start_from_the_identity():
    torch.manual_seed(0)
    with_transforms = MODELS.build(SMALL).double().train()
    without = MODELS.build(dict(SMALL, input_transform=False, feature_transform=False)).double().train()
    assert not without.load_state_dict(with_transforms.state_dict(), strict=False).missing_keys
    clouds = [torch.randn(size, 3, dtype=torch.float64) for size in (9, 5)]
    ours, theirs = with_transforms(clouds), without(clouds)
    torch.testing.assert_close(ours.pooled, theirs.pooled)
    assert ours.losses['loss_orthogonality'] == 0 and theirs.losses == {}


def test_matrix_acts_on_rows_and_on_xyz_alone():
    matrices = torch.tensor([[[0.0, 1, 0], [0, 0, 1], [1, 0, 0]], [[2.0, 0, 0], [0, 2, 0], [0, 0, 2]]])
    rows = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    assert transform_rows(rows, matrices, [1, 1]).tolist() == [[3, 1, 2], [8, 10, 12]]
    model = build(in_channels=3).eval()
    seen: List[Tensor] = []
    model.input_transform.register_forward_hook(lambda *call: seen.append(call[1][0]))
    model.local_mlp.register_forward_hook(lambda *call: seen.append(call[1][0]))
    cloud = torch.randn(7, 6, dtype=torch.float64)
    model([cloud])
    assert torch.equal(seen[0], cloud[:, :3]) and torch.equal(seen[1][:, 3:], cloud[:, 3:])
    assert not torch.allclose(seen[1][:, :3], cloud[:, :3])


def test_term_of_orthogonality():
    rotation = torch.linalg.qr(torch.randn(2, 5, 5, dtype=torch.float64)).Q
    assert orthogonality(rotation) == pytest.approx(0, abs=1e-20)
    assert orthogonality(2 * torch.eye(3)[None]) == pytest.approx(27)  # three times (1 - 4)^2
    assert torch.autograd.gradcheck(orthogonality, torch.randn(3, 4, 4, dtype=torch.float64, requires_grad=True))


def test_order_of_points_does_not_matter():
    model = build(in_channels=3).eval()
    cloud, order = torch.randn(40, 6, dtype=torch.float64), torch.randperm(40)
    one, other = model([cloud]), model([cloud[order]])
    torch.testing.assert_close(one.pooled, other.pooled)
    torch.testing.assert_close(one.tokens[0][order], other.tokens[0])


def test_clouds_of_different_sizes_are_independent():
    model = build().eval()
    clouds = [torch.randn(size, 3, dtype=torch.float64) for size in (30, 1, 0, 7)]
    together = model(clouds)
    for number, cloud in enumerate(clouds):
        alone = model([cloud])
        torch.testing.assert_close(together.pooled[number], alone.pooled[0])
        torch.testing.assert_close(together.tokens[number], alone.tokens[0])
    assert not together.pooled[2].any() and together.pooled[[0, 1, 3]].any(1).all()


@pytest.mark.parametrize('sizes', [(0,), (1,), (0, 0), (0, 3), (40,)])
def test_total(sizes):
    model = build(torch.float32).train()
    out = model([torch.rand(size, 3) for size in sizes])
    assert out.pooled.shape == (len(sizes), 8) and [len(part) for part in out.tokens] == list(sizes)
    (out.pooled.sum() + out.losses['loss_orthogonality']).backward()
    assert out.pooled.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_first_matrix_of_an_empty_cloud():
    torch.testing.assert_close(TransformNet(3)(torch.zeros(0, 3), [0]), torch.eye(3)[None])


def test_clear_errors():
    with pytest.raises(ValueError, match=r'need clouds of shape \(N, 3\), got \[\(5, 6\)\].*in_channels'):
        build()([torch.rand(5, 6)])
    with pytest.raises(ValueError, match=r'need clouds of shape \(N, 6\), got \[\]'):
        build(in_channels=3)([])
