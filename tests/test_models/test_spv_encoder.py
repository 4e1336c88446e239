"""SPVEncoder against the published order of evaluation: dense convolutions, everything per point, naive means."""

from __future__ import annotations

import math
from typing import Dict, Tuple

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.model.utils import convert_sync_batchnorm
from torch import Tensor, nn

from mmfusion_plugin.models.backbones.spv_encoder import SPVEncoder
from mmfusion_plugin.models.layers.norm import RowBatchNorm1d
from mmfusion_plugin.models.layers.row_transfer import RowTransfer
from mmfusion_plugin.ops.scatter import scatter_mean

from .small_segmentor import VOLUME, cloud

Level = Tuple[Tuple[int, ...], Tensor, Tensor]


def mean_by(rows: Tensor, index: Tensor) -> Tensor:
    """Mean of rows per index, by a loop."""
    return torch.stack([rows[index == i].mean(0) for i in range(int(index.max()) + 1)])


def norm(layer: nn.BatchNorm1d, rows: Tensor) -> Tensor:
    """Batch statistics by hand."""
    centred = rows - rows.mean(0)
    return centred / (centred.square().mean(0) + layer.eps).sqrt() * layer.weight + layer.bias


def dense_conv(rows: Tensor, level: Level, weight: Tensor) -> Tensor:
    """3x3x3 convolution of a dense grid, read at the voxels."""
    shape, coordinates, _ = level
    grid = rows.new_zeros((int(coordinates[:, 0].max()) + 1, *shape, rows.shape[1]))
    grid[tuple(coordinates.t())] = rows
    out = F.conv3d(grid.permute(0, 4, 1, 2, 3), weight.permute(0, 4, 1, 2, 3), padding=1)
    return out.permute(0, 2, 3, 4, 1)[tuple(coordinates.t())]


def basic_block(block: nn.Module, rows: Tensor, level: Level) -> Tensor:
    """Residual block on dense grids."""
    hidden = F.leaky_relu(norm(block.norm1, dense_conv(rows, level, block.conv1.weight)), 0.1)
    hidden = norm(block.norm2, dense_conv(hidden, level, block.conv2.weight))
    return F.leaky_relu(hidden + norm(block.shortcut_norm, rows @ block.shortcut.weight.t()), 0.1)


def point_branch(encoder: nn.Module, rows: Tensor, last: Level, own: Level) -> Tensor:
    """Point encoder evaluated per point, as published."""
    halved = last[1].clone()
    halved[:, 1:] //= 2
    inverse = torch.unique(halved, dim=0, return_inverse=True)[1]
    l1, _, n1, l2, _, n2, l3, _ = encoder.context
    context = norm(n1, F.leaky_relu(l1(mean_by(rows, inverse)), 0.1))
    context = norm(n2, F.leaky_relu(l2(context), 0.1))
    context = F.leaky_relu(l3(context), 0.1)[inverse]
    joined = torch.cat([F.leaky_relu(encoder.layer_in[0](rows), 0.1), context], 1)
    return mean_by(encoder.layer_out(joined[last[2]]), own[2])


def published_forward(model: SPVEncoder, points: Tensor, batch_index: Tensor) -> Tuple[list, list]:
    """Per block: voxel features at the last scale, and the feature of each point."""
    lower, upper, shape = (points.new_tensor(VOLUME[k]) for k in ('lower', 'upper', 'spatial_shape'))
    levels: Dict[int, Level] = {}
    for scale in {1, *model.scales}:
        grid = tuple(math.ceil(n / scale) for n in VOLUME['spatial_shape'])
        index = (points.new_tensor(grid) * (points[:, :3] - lower) / (upper - lower)).long()
        coordinates, inverse = torch.unique(torch.cat([batch_index[:, None], index], 1), dim=0, return_inverse=True)
        levels[scale] = (grid, coordinates, inverse)
    _, coordinates, inverse = levels[1]
    xyz = points[:, :3]
    corner = coordinates[:, 1:] * ((upper - lower) / shape) + lower
    inputs = torch.cat([points, xyz - mean_by(xyz, inverse)[inverse], xyz - corner[inverse]], 1)
    rows = mean_by(model.point_mlp(inputs), inverse)
    encoded, per_point = [], []
    for block, last_scale, scale in zip(model.blocks, (1, *model.scales[:-1]), model.scales):
        last, own = levels[last_scale], levels[scale]
        voxel = rows
        for part in block.voxel_encoder:
            voxel = basic_block(part, voxel, last)
        fused = point_branch(block.point_encoder, rows + voxel, last, own)
        rows = fused + mean_by(voxel[last[2]], own[2])
        encoded.append(voxel)
        per_point.append(fused[own[2]])
    return encoded, per_point


def test_equals_the_published_order_of_evaluation() -> None:
    """Also where levels do not nest: 7 voxels in height become 4 and then 2."""
    torch.manual_seed(1)
    model = SPVEncoder(hidden=6, scales=(2, 4, 4), **VOLUME).double()
    points = [cloud(60).double(), cloud(40).double()]
    result = model(points)
    expected = published_forward(model, torch.cat(points), result.batch_index)
    for level, voxel, per_point in zip(result.levels, *expected):
        torch.testing.assert_close(level.voxel_features, voxel, rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(level.point_features, per_point, rtol=1e-7, atol=1e-9)
        assert len(level.voxel_inverse) == 100 and int(level.voxel_inverse.max()) == len(level.voxel_features) - 1


def test_parameters_of_the_reference_size() -> None:
    """45.6 M with classifier, 17 outputs: 2DPASS's nuScenes model to the last parameter."""
    with torch.device('meta'):
        encoder = SPVEncoder()
        head = MODELS.build(dict(type='PointSegHead', num_classes=17, ignore_index=17))
    count = sum(p.numel() for module in (encoder, head) for p in module.parameters())
    assert count == 45_614_865
    assert sum(p.numel() for p in encoder.blocks[0].parameters()) == 7_557_888


def test_voxel_centre_moves_the_offset_by_half_a_voxel() -> None:
    corner, centre = (SPVEncoder(hidden=4, scales=(2,), voxel_centre=flag, **VOLUME) for flag in (False, True))
    centre.load_state_dict(corner.state_dict())
    half_voxel = torch.tensor([0.25, 0.25, 2 / 7])
    first = centre.point_mlp[0]
    with torch.no_grad():  # shifting the offset by a constant is a change of the bias
        first.bias += first.weight[:, -3:] @ half_voxel
    points = [cloud(50)]
    torch.testing.assert_close(centre(points).levels[0].point_features, corner(points).levels[0].point_features)


def test_wrong_points_are_refused() -> None:
    model = SPVEncoder(hidden=4, scales=(2,), **VOLUME)
    with pytest.raises(ValueError, match=r'\(N, 4\)'):
        model([torch.zeros(3, 5)])
    with pytest.raises(ValueError, match='outside'):
        model([cloud(10, inside=False)])


def test_row_transfer_is_a_scatter_mean_both_ways() -> None:
    source, target = torch.randint(0, 7, (40,)), torch.randint(0, 5, (40,))
    rows = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    transfer = RowTransfer.mean(source, target, 7, 6)  # the last target is empty
    torch.testing.assert_close(transfer(rows), scatter_mean(rows[source], target, 6))
    assert torch.autograd.gradcheck(transfer, (rows,))


@pytest.mark.parametrize('rows', [0, 1])
def test_batch_norm_of_hardly_any_rows(rows: int) -> None:
    norm = RowBatchNorm1d(3)
    norm.running_mean.fill_(2.0)
    inputs = torch.randn(rows, 3)
    out = norm(inputs)
    torch.testing.assert_close(out, (inputs - 2) / math.sqrt(1 + norm.eps))
    out.sum().backward()
    assert norm.weight.grad.isfinite().all() and bool((norm.running_mean == 2).all())


def test_batch_norm_of_more_rows_is_torchs() -> None:
    ours, theirs, inputs = RowBatchNorm1d(3), nn.BatchNorm1d(3), torch.randn(9, 3)
    torch.testing.assert_close(ours(inputs), theirs(inputs))
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_synchronised_batch_norm_takes_over_what_was_learned() -> None:
    """Training it needs CUDA; the weights go there and back, and prediction stays the same."""
    norm, inputs = RowBatchNorm1d(3, eps=1e-3), torch.randn(9, 3)
    norm(inputs * 3 + 1)
    nn.init.uniform_(norm.weight)
    synchronised = convert_sync_batchnorm(nn.Sequential(norm), 'torch').eval()
    assert type(synchronised[0]) is nn.SyncBatchNorm
    torch.testing.assert_close(synchronised(inputs), norm.eval()(inputs))
    fresh = nn.Sequential(RowBatchNorm1d(3, eps=1e-3))
    fresh.load_state_dict(synchronised.state_dict())
    torch.testing.assert_close(fresh.eval()(inputs[:1]), norm(inputs[:1]))
