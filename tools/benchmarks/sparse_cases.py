"""Sparse convolution beside spconv, for ``ops.py``."""

from __future__ import annotations

from typing import Iterator

import torch
from feature_cases import both_ways, voxel_indices
from point_cases import CHANNELS, Case
from torch import Tensor

from mmfusion_plugin.ops.backends import load_spconv
from mmfusion_plugin.ops.sparse_conv import SparseTensor, inverse_conv3d, strided_conv3d, submanifold_conv3d
from mmfusion_plugin.ops.voxels import unique_voxels


def sparse_cases(cloud: Tensor) -> Iterator[Case]:
    """Against spconv's layers: with the rulebook at hand (submanifold) and built each time (all else)."""
    spconv = load_spconv()

    coordinates = unique_voxels(voxel_indices(cloud)).coordinates
    shape = [int(extent) // 2 * 2 + 4 for extent in coordinates.amax(0)[1:]]
    features, indices = torch.randn(len(coordinates), CHANNELS, device=cloud.device), coordinates.int()
    same = spconv.SubMConv3d(CHANNELS, CHANNELS, 3, bias=False, indice_key='same').to(cloud.device)
    down = spconv.SparseConv3d(CHANNELS, CHANNELS, 2, 2, bias=False, indice_key='half').to(cloud.device)
    up = spconv.SparseInverseConv3d(CHANNELS, CHANNELS, 2, bias=False, indice_key='half').to(cloud.device)
    with torch.no_grad():
        mine = submanifold_conv3d(SparseTensor(features, coordinates, tuple(shape), 1), same.weight)
        theirs = same(spconv.SparseConvTensor(features, indices, shape, 1))

    def fresh(rows: Tensor) -> SparseTensor:
        return SparseTensor(rows, coordinates, tuple(shape), 1)

    def fresh_spconv(rows: Tensor) -> object:
        return spconv.SparseConvTensor(rows, indices, shape, 1)

    for op, ours, other in (
        (
            'submanifold conv 3, cached',
            lambda rows: submanifold_conv3d(mine.replace_features(rows), same.weight).features,
            lambda rows: same(theirs.replace_feature(rows)).features,
        ),
        (
            'submanifold conv 3, first',
            lambda rows: submanifold_conv3d(fresh(rows), same.weight).features,
            lambda rows: same(fresh_spconv(rows)).features,
        ),
        (
            'strided conv 2 and back',
            lambda rows: inverse_conv3d(strided_conv3d(fresh(rows), down.weight, key='x'), up.weight, key='x').features,
            lambda rows: up(down(fresh_spconv(rows))).features,
        ),
    ):
        yield from both_ways(op, features, ours, 'spconv', other)
