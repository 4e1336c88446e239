"""Sparse convolution against dense convolution, against spconv, and at the borders where hashes and rows wrap."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmfusion_plugin.ops.backends import load_spconv
from mmfusion_plugin.ops.sparse_conv import (
    SparseTensor,
    inverse_conv3d,
    strided_conv3d,
    submanifold_conv3d,
    weight_from_zyx,
)
from mmfusion_plugin.ops.voxels import unique_voxels

SHAPE = (7, 6, 5)


def random_tensor(num: int, channels: int, batch: int = 2, dtype: torch.dtype = torch.float64) -> SparseTensor:
    """Random distinct voxels, many of them on the volume's faces."""
    columns = [torch.randint(0, n, (num,)) for n in (batch, *SHAPE)]
    coordinates = unique_voxels(torch.stack(columns, 1)).coordinates
    return SparseTensor(torch.randn(len(coordinates), channels, dtype=dtype), coordinates, SHAPE, batch)


def dense(x: SparseTensor) -> Tensor:
    """(B, C, X, Y, Z) with zeros where no voxel is."""
    grid = x.features.new_zeros((x.batch_size, *x.spatial_shape, x.features.shape[1]))
    return grid.index_put(tuple(x.coordinates.unbind(1)), x.features).permute(0, 4, 1, 2, 3)


def at(grid: Tensor, coordinates: Tensor) -> Tensor:
    """Rows of a dense (B, C, X, Y, Z) grid at voxels."""
    return grid.permute(0, 2, 3, 4, 1)[tuple(coordinates.unbind(1))]


def conv_weight(weight: Tensor) -> Tensor:
    """Ours to conv3d's layout."""
    return weight.permute(0, 4, 1, 2, 3)


@pytest.mark.parametrize('kernel', [(1, 1, 1), (3, 3, 3), (5, 3, 1), (1, 3, 5)])
@pytest.mark.parametrize('dilation', [1, 2, (1, 2, 3)])
def test_submanifold_equals_dense(kernel, dilation) -> None:
    x = random_tensor(120, 4)
    weight, bias = torch.randn(6, *kernel, 4, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    steps = (dilation,) * 3 if isinstance(dilation, int) else dilation
    padding = [(k // 2) * d for k, d in zip(kernel, steps)]
    expected = at(F.conv3d(dense(x), conv_weight(weight), bias, padding=padding, dilation=steps), x.coordinates)
    result = submanifold_conv3d(x, weight, bias, dilation)
    torch.testing.assert_close(result.features, expected, rtol=1e-10, atol=1e-10)
    assert torch.equal(result.coordinates, x.coordinates)


@pytest.mark.parametrize(
    'kernel, stride, padding', [(2, 2, 0), (3, 2, 1), (3, (1, 2, 3), 1), ((3, 1, 2), 1, (1, 0, 1))]
)
def test_strided_and_inverse_equal_dense(kernel, stride, padding) -> None:
    x = random_tensor(60, 4)
    kernel = (kernel,) * 3 if isinstance(kernel, int) else kernel
    weight = torch.randn(6, *kernel, 4, dtype=torch.float64)
    result = strided_conv3d(x, weight, stride=stride, padding=padding, key='down')
    grid = F.conv3d(dense(x), conv_weight(weight), stride=stride, padding=padding)
    assert result.spatial_shape == tuple(grid.shape[2:])
    torch.testing.assert_close(dense(result), grid, rtol=1e-10, atol=1e-10)

    back = torch.randn(4, *kernel, 6, dtype=torch.float64)
    restored = inverse_conv3d(result, back, key='down')
    # The inverse convolution is the transposed convolution, read on the voxels that were there.
    steps, front = ((v,) * 3 if isinstance(v, int) else v for v in (stride, padding))
    reached = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(result.spatial_shape, steps, front, kernel)]
    rest = [n - r for n, r in zip(SHAPE, reached)]
    wide = F.conv_transpose3d(dense(result), back.permute(4, 0, 1, 2, 3), None, steps, front, rest)
    torch.testing.assert_close(restored.features, at(wide, x.coordinates), rtol=1e-10, atol=1e-10)
    assert torch.equal(restored.coordinates, x.coordinates)


def test_gradients() -> None:
    x = random_tensor(25, 2)
    weight = torch.randn(3, 3, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    down = torch.randn(2, 2, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    up = torch.randn(2, 2, 2, 2, 2, dtype=torch.float64, requires_grad=True)

    def chain(features: Tensor, weight: Tensor, bias: Tensor, down: Tensor, up: Tensor) -> Tensor:
        y = submanifold_conv3d(x.replace_features(features), weight, bias)
        return inverse_conv3d(strided_conv3d(y, down, key='a'), up, key='a').features

    assert torch.autograd.gradcheck(chain, (x.features.clone().requires_grad_(), weight, bias, down, up))


@pytest.mark.parametrize('frozen', [0, 1])
def test_gradient_beside_a_frozen_tensor(frozen: int) -> None:
    """Features or weight alone: the same gradient as when both are wanted."""
    x = random_tensor(30, 2)
    both = x.features.requires_grad_(), torch.randn(3, 3, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    one = [tensor.detach().requires_grad_(number != frozen) for number, tensor in enumerate(both)]
    for features, weight in (both, one):
        submanifold_conv3d(x.replace_features(features), weight).features.square().sum().backward()
    assert one[frozen].grad is None
    torch.testing.assert_close(one[1 - frozen].grad, both[1 - frozen].grad, rtol=1e-12, atol=1e-12)


def test_no_wrap_around_between_rows_samples_and_faces() -> None:
    """Neighbours in memory only: the end of one row and the start of the next, of one sample and the next."""
    top = [n - 1 for n in SHAPE]
    corners = [[b, x, y, z] for b in (0, 1) for x in (0, top[0]) for y in (0, top[1]) for z in (0, top[2])]
    coordinates = unique_voxels(torch.tensor(corners)).coordinates
    x = SparseTensor(torch.randn(16, 3), coordinates, SHAPE, 2)
    weight = torch.randn(5, 3, 3, 3, 3)
    alone = x.features @ weight[:, 1, 1, 1].t()
    torch.testing.assert_close(submanifold_conv3d(x, weight).features, alone)


def test_batch_equals_single_samples() -> None:
    x, weight = random_tensor(100, 4, batch=3), torch.randn(4, 3, 3, 3, 4, dtype=torch.float64)
    together = submanifold_conv3d(x, weight).features
    for sample in range(3):
        rows = x.coordinates[:, 0] == sample
        coordinates = x.coordinates[rows].clone()
        coordinates[:, 0] = 0
        single = submanifold_conv3d(SparseTensor(x.features[rows], coordinates, SHAPE, 1), weight)
        torch.testing.assert_close(single.features, together[rows], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('num', [0, 1])
def test_hardly_any_voxels(num: int) -> None:
    features = torch.randn(num, 3, requires_grad=True)
    x = SparseTensor(features, torch.zeros(num, 4, dtype=torch.long), SHAPE, 2)
    weights = [torch.randn(3, k, k, k, 3, requires_grad=True) for k in (3, 2, 2)]
    y = strided_conv3d(submanifold_conv3d(x, weights[0]), weights[1], key='down')
    z = inverse_conv3d(y, weights[2], key='down')
    assert y.features.shape == (num, 3) and z.features.shape == (num, 3)
    z.features.sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in weights)
    assert features.grad is not None
    assert bool(weights[0].grad.any()) == (num > 0)


def test_rulebook_is_built_once_and_shared() -> None:
    x, weight = random_tensor(50, 4), torch.randn(4, 3, 3, 3, 4, dtype=torch.float64)
    y = submanifold_conv3d(submanifold_conv3d(x, weight), weight)
    books = [value for key, value in x.cache.items() if key != 'checked']
    assert y.cache is x.cache and len(books) == 1


def test_repeats_bit_for_bit() -> None:
    x, weight = random_tensor(150, 16, dtype=torch.float32), torch.randn(16, 3, 3, 3, 16)
    results = [submanifold_conv3d(SparseTensor(x.features, x.coordinates, SHAPE, 2), weight).features for _ in range(3)]
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_under_autocast(dtype: torch.dtype) -> None:
    x, weight = random_tensor(150, 16, dtype=torch.float32), (torch.randn(16, 3, 3, 3, 16) / 20).requires_grad_()
    exact = submanifold_conv3d(x, weight).features
    with torch.autocast('cpu', dtype=dtype):
        half = submanifold_conv3d(x, weight).features
    assert half.dtype == dtype
    torch.testing.assert_close(half.float(), exact, rtol=0.03, atol=0.03)
    half.float().square().sum().backward()
    assert weight.grad.dtype == torch.float32 and weight.grad.isfinite().all()


def test_weight_from_zyx() -> None:
    """A network on transposed axes with the transposed weight gives the same."""
    x, weight = random_tensor(80, 4), torch.randn(5, 3, 1, 5, 4, dtype=torch.float64)
    expected = submanifold_conv3d(x, weight_from_zyx(weight)).features
    swapped = unique_voxels(x.coordinates[:, [0, 3, 2, 1]])
    features = torch.empty_like(x.features).index_copy(0, swapped.inverse, x.features)
    turned = submanifold_conv3d(SparseTensor(features, swapped.coordinates, SHAPE[::-1], 2), weight)
    torch.testing.assert_close(turned.features[swapped.inverse], expected)


@pytest.mark.parametrize(
    'change, error, words',
    [
        ({'coordinates': [[0, 1, 1, 1], [0, 0, 0, 0]]}, ValueError, 'not sorted'),
        ({'coordinates': [[0, 1, 1, 1], [0, 1, 1, 1]]}, ValueError, 'repeated'),
        ({'coordinates': [[0, 0, 0, 0], [0, 7, 0, 0]]}, ValueError, 'outside'),
        ({'coordinates': [[0, 0, 0, -1], [0, 6, 0, 0]]}, ValueError, 'outside'),
        ({'coordinates': [[0, 0, 0, 0], [2, 0, 0, 0]]}, ValueError, 'outside'),
        ({'features': torch.zeros(3, 2)}, ValueError, '3 feature rows'),
        ({'features': torch.zeros(2, 2, dtype=torch.long)}, TypeError, 'floating'),
        ({'spatial_shape': (7, 6)}, ValueError, 'spatial_shape'),
    ],
)
def test_wrong_tensors_are_refused(change, error, words) -> None:
    arguments = {'features': torch.zeros(2, 2), 'coordinates': [[0, 0, 0, 0], [1, 0, 0, 0]], 'spatial_shape': SHAPE}
    arguments.update(change)
    arguments['coordinates'] = torch.tensor(arguments['coordinates'])
    with pytest.raises(error, match=words):
        SparseTensor(**arguments, batch_size=2)


def test_wrong_calls_are_refused() -> None:
    x = random_tensor(20, 4, dtype=torch.float32)
    with pytest.raises(TypeError, match='int64'):
        SparseTensor(x.features, x.coordinates.int(), SHAPE, 2)
    with pytest.raises(ValueError, match='odd'):
        submanifold_conv3d(x, torch.zeros(4, 2, 3, 3, 4))
    with pytest.raises(ValueError, match='weight must be'):
        submanifold_conv3d(x, torch.zeros(3, 3, 3, 4, 5))
    with pytest.raises(ValueError, match='bias'):
        submanifold_conv3d(x, torch.zeros(4, 3, 3, 3, 4), torch.zeros(3))
    with pytest.raises(ValueError, match='backend'):
        submanifold_conv3d(x, torch.zeros(4, 3, 3, 3, 4), backend='mmcv')
    with pytest.raises(KeyError, match='down'):
        inverse_conv3d(x, torch.zeros(4, 2, 2, 2, 4), key='down')
    with pytest.raises(ValueError, match='does not fit'):
        strided_conv3d(x, torch.zeros(4, 9, 9, 9, 4))
    strided = strided_conv3d(x, torch.zeros(4, 2, 2, 2, 4), key='down')
    with pytest.raises(ValueError, match='kernel'):
        inverse_conv3d(strided, torch.zeros(4, 3, 3, 3, 4), key='down')


@pytest.fixture
def spconv():
    """spconv on one thread: its CPU kernel loses updates when several threads add to one voxel."""
    pytest.importorskip('spconv.pytorch', reason='spconv is not installed')
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_spconv()
    torch.set_num_threads(threads)


@pytest.mark.parametrize('kind', ['submanifold', 'strided', 'inverse'])
def test_equals_spconv(spconv, kind: str) -> None:
    """Their layer with their indices against ours, forward and backward, weights taken over unchanged."""
    drawn = torch.cat([torch.randint(0, 2, (4000, 1)), torch.randint(0, 20, (4000, 3))], 1)
    coordinates = unique_voxels(drawn).coordinates
    features = torch.randn(len(coordinates), 16, requires_grad=True)
    theirs_in = features.detach().clone().requires_grad_()
    options = dict(bias=False, algo=spconv.ConvAlgo.Native)
    layer = {
        'submanifold': lambda: spconv.SubMConv3d(16, 24, 3, **options),
        'strided': lambda: spconv.SparseConv3d(16, 24, 3, 2, 1, **options),
        'inverse': lambda: spconv.SparseInverseConv3d(24, 16, 3, indice_key='down', **options),
    }[kind]()
    weight = layer.weight.detach().clone().requires_grad_()
    x = SparseTensor(features, coordinates, (20, 20, 20), 2)
    theirs = spconv.SparseConvTensor(theirs_in, coordinates.int(), [20, 20, 20], 2)
    if kind == 'submanifold':
        ours, theirs = submanifold_conv3d(x, weight), layer(theirs)
    elif kind == 'strided':
        ours, theirs = strided_conv3d(x, weight, padding=1), layer(theirs)
    else:
        down = spconv.SparseConv3d(16, 24, 3, 2, 1, indice_key='down', **options)
        ours = inverse_conv3d(strided_conv3d(x, down.weight.detach(), padding=1, key='down'), weight, key='down')
        theirs = layer(down(theirs))

    order = unique_voxels(theirs.indices.long())
    assert torch.equal(order.coordinates, ours.coordinates)
    torch.testing.assert_close(ours.features[order.inverse], theirs.features, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(ours.features)
    ours.features.backward(upstream)
    theirs.features.backward(upstream[order.inverse])
    torch.testing.assert_close(features.grad, theirs_in.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(weight.grad, layer.weight.grad, rtol=1e-5, atol=1e-4)


def test_backends_agree(spconv) -> None:
    x = random_tensor(150, 8, dtype=torch.float32)
    weights = [torch.randn(8, k, k, k, 8) for k in (3, 2, 2)]
    results = []
    for backend in ('torch', 'spconv'):
        leaf = x.features.clone().requires_grad_()
        start = SparseTensor(leaf, x.coordinates, SHAPE, 2)
        y = strided_conv3d(submanifold_conv3d(start, weights[0], backend=backend), weights[1], key='a', backend=backend)
        z = inverse_conv3d(y, weights[2], key='a', backend=backend).features
        z.square().mean().backward()
        results.append((z.detach(), leaf.grad))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_equals_cpu() -> None:
    x, weight = random_tensor(150, 8, dtype=torch.float32), torch.randn(8, 3, 3, 3, 8)
    expected = submanifold_conv3d(x, weight).features
    moved = SparseTensor(x.features.cuda(), x.coordinates.cuda(), SHAPE, 2)
    for backend in ('torch', 'auto'):
        result = submanifold_conv3d(moved, weight.cuda(), backend=backend).features.cpu()
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)
