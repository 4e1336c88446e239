"""PointNet2Cls against PointNet++ with dense groups and 1 x 1 convolutions."""

from __future__ import annotations

from typing import Dict, List

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from .test_point_net import mlp_size
from .test_pointnet2_ssg import ball, farthest, shared_mlp

SMALL = dict(
    type='PointNet2Cls', sa_channels=((6, 8), (8, 10)), num_centroids=(24, 8), radii=(0.4, 0.8), max_neighbours=(6, 5),
    global_channels=(9, 7),
)  # fmt: skip


def build(dtype: torch.dtype = torch.float64, **options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build({**SMALL, **options}).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.3 if parameter.ndim == 1 else 0.0, 0.5)
    return model


def plain(state: Dict[str, Tensor], clouds: Tensor, training: bool) -> Tensor:
    """(B, N, 3 + C) clouds to (B, 7), written from the description."""
    xyz, features = clouds[..., :3], clouds[..., 3:].transpose(1, 2)
    options = zip(SMALL['num_centroids'], SMALL['radii'], SMALL['max_neighbours'])
    for level, (num, radius, k) in enumerate(options):
        centres, groups = [], []
        for sample, points in enumerate(xyz):
            centre = points[farthest(points, num)]
            index = torch.tensor([ball(c, points, radius, k) for c in centre])
            own = features[sample].t()[index]
            groups.append(torch.cat([own, points[index] - centre[:, None]], 2).permute(2, 0, 1))
            centres.append(centre)
        features = shared_mlp(torch.stack(groups), state, f'abstractions.{level}.mlp', 2, training).max(3).values
        xyz = torch.stack(centres)
    everything = torch.cat([features, xyz.transpose(1, 2)], 1)[..., None]
    return shared_mlp(everything, state, 'global_mlp', 2, training).amax((2, 3))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('colours', [0, 3])
def test_parity_with_the_plain_form(training, colours):
    model = build(in_channels=colours).train(training)
    clouds = torch.rand(2, 60, 3 + colours, dtype=torch.float64)
    state = {**{key: value.clone() for key, value in model.named_buffers()}, **dict(model.named_parameters())}
    ours, theirs = model(list(clouds)).pooled, plain(state, clouds, training)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((out * weight).sum(), list(model.parameters())) for out in (ours, theirs)]
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('colours', [0, 3])
def test_size_in_closed_form(colours):
    with torch.device('meta'):
        model = MODELS.build(dict(type='PointNet2Cls', in_channels=colours))
    expected = mlp_size(3 + colours, (64, 64, 128)) + mlp_size(131, (128, 128, 256)) + mlp_size(259, (256, 512, 1024))
    assert sum(p.numel() for p in model.parameters()) == expected == 805_184 + 64 * colours


def test_clouds_of_different_sizes_are_independent():
    model = build().eval()
    clouds = [torch.rand(size, 3, dtype=torch.float64) for size in (50, 1, 0, 7)]
    together = model(clouds)
    for number, cloud in enumerate(clouds):
        torch.testing.assert_close(together.pooled[number], model([cloud]).pooled[0])
    assert [len(part) for part in together.tokens] == [8, 1, 0, 7]
    assert not together.pooled[2].any() and together.losses == {}


def test_order_of_points_does_not_matter():
    # Every point is a centroid and every ball holds all of its points.
    model = build(num_centroids=(20, 20), max_neighbours=(20, 20)).eval()
    cloud = torch.rand(20, 3, dtype=torch.float64)
    torch.testing.assert_close(model([cloud[torch.randperm(20)]]).pooled, model([cloud]).pooled)


@pytest.mark.parametrize('sizes', [(0,), (1,), (0, 3), (40,)])
def test_total(sizes: List[int]):
    model = build(torch.float32).train()
    out = model([torch.rand(size, 3) for size in sizes])
    assert out.pooled.shape == (len(sizes), 7) and out.pooled.isfinite().all()
    out.pooled.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_clear_errors():
    with pytest.raises(ValueError, match=r'need clouds of shape \(N, 3\), got \[\(5, 6\)\]'):
        build()([torch.rand(5, 6)])
    with pytest.raises(ValueError, match=r'have lengths \[2, 2, 1, 2\]'):
        build(radii=(0.1,))
