"""Neighbour search against brute force in numpy, against scipy, and by its own rules."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from torch import Tensor

from mmfusion_plugin.ops import neighbour_search
from mmfusion_plugin.ops.neighbours import ball_query, farthest_point_sample, knn, three_interpolate, three_nn

CPU_BACKENDS = ('scipy', 'torch')
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')


def pair_dist2(query: Tensor, reference: Tensor) -> np.ndarray:
    """All squared distances in float64, axis by axis."""
    q, r = query.double().numpy(), reference.double().numpy()
    return sum((q[:, None, axis] - r[None, :, axis]) ** 2 for axis in range(q.shape[1]))


def brute_knn(query: Tensor, reference: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest by a stable sort of all distances: of equal ones the lowest index."""
    dist2 = pair_dist2(query, reference)
    index = np.argsort(dist2, axis=1, kind='stable')[:, :k]
    dist2 = np.take_along_axis(dist2, index, axis=1)
    missing = ((0, 0), (0, k - index.shape[1]))
    return np.pad(dist2, missing, constant_values=np.inf), np.pad(index, missing, constant_values=-1)


def brute_ball(query: Tensor, reference: Tensor, radius: float, k: int, min_radius: float = 0.0) -> np.ndarray:
    """First hits by index, one query at a time."""
    index = np.full((len(query), k), -1)
    for row, dist2 in enumerate(pair_dist2(query, reference)):
        hits = np.flatnonzero((dist2 >= min_radius**2) & (dist2 < radius**2))[:k]
        if len(hits):
            index[row] = hits[0]
            index[row, : len(hits)] = hits
    return index


def clouds(kind: str, rows: int, sources: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Random clouds, or such with many equal distances."""
    if kind == 'random':
        return torch.randn(rows, 3, dtype=dtype), torch.randn(sources, 3, dtype=dtype)
    if kind == 'grid':
        return torch.randint(0, 6, (rows, 3)).to(dtype), torch.randint(0, 6, (sources, 3)).to(dtype)
    return torch.zeros(rows, 3, dtype=dtype), torch.zeros(sources, 3, dtype=dtype)


@pytest.mark.parametrize('backend', CPU_BACKENDS)
@pytest.mark.parametrize('kind', ['random', 'grid', 'one place'])
@pytest.mark.parametrize('k', [1, 3, 8, 40])
def test_knn_equals_brute_force(backend: str, kind: str, k: int) -> None:
    query, reference = clouds(kind, 50, 300)
    dist2, index = knn(query, reference, k, backend=backend)
    expected_dist2, expected_index = brute_knn(query, reference, k)
    assert dist2.dtype == torch.float32 and index.dtype == torch.int64
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(dist2, expected_dist2, rtol=1e-6)


def test_knn_equals_scipy_on_a_large_cloud() -> None:
    points = torch.rand(20000, 3, dtype=torch.float64)
    dist2, index = knn(points, points, 8)
    distance, expected = cKDTree(points.numpy()).query(points.numpy(), 8)
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_allclose(dist2.sqrt(), distance, rtol=1e-12)


def test_knn_settles_ties_of_many_points_at_one_place_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_search, 'PAIRS_AT_ONCE', 500)
    query, reference = clouds('grid', 40, 400)
    reference[100:300] = 2.0
    query[:20] = 2.0
    _, index = knn(query, reference, 5, backend='scipy')
    np.testing.assert_array_equal(index, brute_knn(query, reference, 5)[1])


@pytest.mark.parametrize('backend', CPU_BACKENDS)
@pytest.mark.parametrize('axes', [1, 2, 3, 5])
def test_knn_in_other_dimensions(backend: str, axes: int) -> None:
    query, reference = torch.randn(20, axes), torch.randn(30, axes)
    np.testing.assert_array_equal(knn(query, reference, 4, backend=backend)[1], brute_knn(query, reference, 4)[1])


@pytest.mark.parametrize('backend', CPU_BACKENDS)
def test_batches_do_not_mix(backend: str) -> None:
    query, reference = torch.randn(3, 10, 3), torch.randn(3, 20, 3)
    dist2, index = knn(query, reference, 4, backend=backend)
    balls = ball_query(query, reference, 1.0, 4, backend=backend)
    distance, three = three_nn(query, reference, backend=backend)
    assert bool((balls >= 0).any())
    for sample in range(3):
        one = query[sample], reference[sample]
        alone = knn(*one, 4, backend=backend)
        assert torch.equal(dist2[sample], alone[0]) and torch.equal(index[sample], alone[1])
        assert torch.equal(balls[sample], ball_query(*one, 1.0, 4, backend=backend))
        np.testing.assert_array_equal(balls[sample], brute_ball(*one, 1.0, 4))
        alone = three_nn(*one, backend=backend)
        assert torch.equal(distance[sample], alone[0]) and torch.equal(three[sample], alone[1])
        np.testing.assert_array_equal(three[sample], brute_knn(*one, 3)[1])
        np.testing.assert_allclose(distance[sample], np.sqrt(brute_knn(*one, 3)[0]), rtol=1e-6)


@pytest.mark.parametrize('backend', CPU_BACKENDS)
@pytest.mark.parametrize(
    ('batch', 'rows', 'sources'), [(2, 0, 5), (2, 5, 0), (0, 5, 5), (2, 0, 0), (1, 1, 1), (2, 4, 2)]
)
def test_sizes(backend: str, batch: int, rows: int, sources: int) -> None:
    query, reference = torch.randn(batch, rows, 3), torch.randn(batch, sources, 3)
    dist2, index = knn(query, reference, 3, backend=backend)
    assert dist2.shape == index.shape == (batch, rows, 3)
    found = min(3, sources)
    assert bool((index[..., :found] >= 0).all()) and bool(dist2[..., :found].isfinite().all())
    assert bool((index[..., found:] == -1).all()) and bool((dist2[..., found:] == torch.inf).all())
    balls = ball_query(query, reference, 1e-6, 3, backend=backend)
    assert balls.shape == (batch, rows, 3) and bool((balls == -1).all())
    assert three_nn(query, reference, backend=backend)[0].shape == (batch, rows, 3)


def test_knn_gradient() -> None:
    query = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    reference = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)

    def dist2(q: Tensor, r: Tensor) -> Tensor:
        return knn(q, r, 3)[0]

    assert torch.autograd.gradcheck(dist2, (query, reference))
    assert torch.autograd.gradgradcheck(dist2, (query, reference))


def test_knn_gradient_with_missing_neighbours_is_finite() -> None:
    query = torch.randn(1, 4, 3, requires_grad=True)
    dist2, index = knn(query, torch.randn(1, 2, 3), 3)
    dist2[index >= 0].sum().backward()
    assert bool(query.grad.isfinite().all()) and bool((query.grad != 0).any())


def test_half_precision_gives_float32_distances() -> None:
    query, reference = clouds('random', 10, 20, torch.float16)
    dist2, index = knn(query, reference, 3)
    assert dist2.dtype == torch.float32
    np.testing.assert_array_equal(index, brute_knn(query, reference, 3)[1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 12), sources=st.integers(1, 40), k=st.integers(1, 12))
def test_knn_property_lowest_index_on_a_coarse_grid(seed: int, rows: int, sources: int, k: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    query = torch.randint(0, 3, (rows, 2), generator=generator).float()
    reference = torch.randint(0, 3, (sources, 2), generator=generator).float()
    expected = brute_knn(query, reference, k)[1]
    for backend in CPU_BACKENDS:
        np.testing.assert_array_equal(knn(query, reference, k, backend=backend)[1], expected)


@pytest.mark.parametrize('backend', CPU_BACKENDS)
@pytest.mark.parametrize('kind', ['random', 'grid', 'one place'])
@pytest.mark.parametrize(('radius', 'min_radius'), [(0.3, 0.0), (1.0, 0.0), (2.0, 1.0), (50.0, 0.0)])
def test_ball_query_equals_brute_force(backend: str, kind: str, radius: float, min_radius: float) -> None:
    query, reference = clouds(kind, 50, 300)
    for k in (1, 7, 400):
        index = ball_query(query, reference, radius, k, min_radius, backend=backend)
        np.testing.assert_array_equal(index, brute_ball(query, reference, radius, k, min_radius))


def test_ball_query_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_search, 'PAIRS_AT_ONCE', 300)
    query, reference = clouds('random', 60, 500)
    for backend in CPU_BACKENDS:
        index = ball_query(query, reference, 0.8, 6, backend=backend)
        np.testing.assert_array_equal(index, brute_ball(query, reference, 0.8, 6))


def test_ball_query_surface_is_outside_and_inner_surface_inside() -> None:
    query, reference = torch.zeros(1, 3), torch.tensor([[2.0, 0, 0], [1.0, 0, 0], [0, 1.5, 0]])
    assert ball_query(query, reference, 2.0, 2, 1.0).tolist() == [[1, 2]]
    assert ball_query(query, reference, 1.0, 2).tolist() == [[-1, -1]]


@pytest.mark.parametrize('call', [lambda q, r: knn(q, r, 2), lambda q, r: ball_query(q, r, 1.0, 2), three_nn])
def test_wrong_clouds_are_refused(call) -> None:
    good = torch.randn(1, 4, 3)
    for bad, error, text in (
        (good.masked_fill(good == good.max(), torch.nan), ValueError, 'NaN'),
        (good.masked_fill(good == good.max(), torch.inf), ValueError, 'infinite'),
        (good.long(), TypeError, 'floating'),
        (good.double(), TypeError, 'one floating dtype'),
        (good[0], ValueError, r'\(B, M, D\)'),
        (good[..., :2], ValueError, r'\(B, M, D\)'),
        (good.expand(2, 4, 3), ValueError, r'\(B, M, D\)'),
    ):
        with pytest.raises(error, match=text):
            call(good, bad)


def test_wrong_arguments_are_refused() -> None:
    points = torch.randn(4, 3)
    with pytest.raises(ValueError, match='k must be at least 1'):
        knn(points, points, 0)
    with pytest.raises(ValueError, match='min_radius < radius'):
        ball_query(points, points, 1.0, 2, min_radius=1.0)
    with pytest.raises(ValueError, match='min_radius < radius'):
        ball_query(points, points, float('nan'), 2)
    with pytest.raises(ValueError, match="got 'faiss'"):
        knn(points, points, 1, backend='faiss')
    with pytest.raises(ValueError, match="'mmcv' cannot search points on cpu"):
        knn(points, points, 1, backend='mmcv')


def test_three_nn_is_the_square_root_of_knn() -> None:
    target, source = clouds('random', 20, 30)
    distance, index = three_nn(target, source)
    expected_dist2, expected_index = brute_knn(target, source, 3)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(distance, np.sqrt(expected_dist2), rtol=1e-6)


def test_three_nn_gradient_is_finite_at_distance_zero() -> None:
    source = torch.randn(1, 5, 3, dtype=torch.float64)
    target = source[:, :2].clone().requires_grad_()
    three_nn(target, source)[0].sum().backward()
    assert bool(target.grad.isfinite().all()) and bool((target.grad != 0).any())
    apart = torch.randn(1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: three_nn(t, source)[0], (apart,))


def test_three_interpolate_equals_numpy_and_its_gradient() -> None:
    features = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    index, weight = torch.randint(0, 6, (2, 5, 3)), torch.rand(2, 5, 3, dtype=torch.float64, requires_grad=True)
    result = three_interpolate(features, index, weight)
    picked = np.stack([features.detach().numpy()[b][:, index.numpy()[b]] for b in range(2)])
    np.testing.assert_allclose(result.detach(), (picked * weight.detach().numpy()[:, None]).sum(-1), atol=1e-12)
    assert torch.autograd.gradcheck(lambda f, w: three_interpolate(f, index, w), (features, weight))


def test_three_interpolate_leaves_missing_sources_out() -> None:
    features = torch.tensor([[[1.0, 10.0]]])
    index, weight = torch.tensor([[[0, 1, -1]]]), torch.tensor([[[0.5, 0.25, torch.nan]]])
    assert three_interpolate(features, index, weight).tolist() == [[[3.0]]]
    assert three_interpolate(features[..., :0], index.fill_(-1), weight).tolist() == [[[0.0]]]


def test_three_interpolate_refuses_what_does_not_fit() -> None:
    features, index, weight = torch.randn(2, 4, 6), torch.zeros(2, 5, 3, dtype=torch.long), torch.rand(2, 5, 3)
    with pytest.raises(TypeError, match='int64'):
        three_interpolate(features, index.int(), weight)
    with pytest.raises(ValueError, match='need features'):
        three_interpolate(features, index[:1], weight)
    with pytest.raises(ValueError, match='one shape'):
        three_interpolate(features, index, weight[:, :1])
    with pytest.raises(ValueError, match='there are 6 sources'):
        three_interpolate(features, index + 6, weight)


def brute_farthest(points: Tensor, num: int, start: int) -> list[int]:
    """By the definition: the largest of the least distances to all chosen."""
    dist2, chosen = pair_dist2(points, points), [start]
    while len(chosen) < num:
        chosen.append(int(dist2[:, chosen].min(axis=1).argmax()))
    return chosen


@pytest.mark.parametrize('kind', ['random', 'grid', 'one place'])
@pytest.mark.parametrize('start', [0, 7])
def test_farthest_points_equal_the_definition(kind: str, start: int) -> None:
    points = torch.stack([clouds(kind, 1, 120, torch.float64)[1] for _ in range(3)])
    index = farthest_point_sample(points, 25, start)
    assert index.shape == (3, 25) and index.dtype == torch.int64
    assert index.tolist() == [brute_farthest(cloud, 25, start) for cloud in points]


def test_farthest_points_torch_loop_equals_numpy_loop() -> None:
    from mmfusion_plugin.ops.farthest_points import _sample_torch

    points = torch.randn(3, 200, 3)
    starts = torch.tensor([0, 5, 199])
    assert torch.equal(_sample_torch(points, 40, starts), farthest_point_sample(points, 40, starts))


def test_farthest_points_sizes_and_errors() -> None:
    points = torch.randn(2, 5, 3)
    assert farthest_point_sample(points, 0).shape == (2, 0)
    assert farthest_point_sample(points[:0], 3).shape == (0, 3)
    assert farthest_point_sample(points[:, :0], 0).shape == (2, 0)
    assert farthest_point_sample(points[:, :1], 1).tolist() == [[0], [0]]
    assert sorted(farthest_point_sample(points[0], 5).tolist()) == [0, 1, 2, 3, 4]
    for call, error, text in (
        (lambda: farthest_point_sample(points, 6), ValueError, r'num must be in \[0, 5\]'),
        (lambda: farthest_point_sample(points, 2, 5), ValueError, r'start must be in \[0, 5\)'),
        (lambda: farthest_point_sample(points / 0, 2), ValueError, 'NaN or infinite'),
        (lambda: farthest_point_sample(points.long(), 2), TypeError, 'floating'),
        (lambda: farthest_point_sample(points[0, 0], 2), ValueError, r'\(B, N, D\)'),
        (lambda: farthest_point_sample(points, 2, backend='mmcv'), ValueError, 'CUDA'),
        (lambda: farthest_point_sample(points, 2, backend='numba'), ValueError, 'numba'),
    ):
        with pytest.raises(error, match=text):
            call()


@cuda
@pytest.mark.parametrize('backend', ['torch', 'mmcv'])
@pytest.mark.parametrize('kind', ['random', 'grid'])
def test_cuda_equals_cpu(backend: str, kind: str) -> None:
    query, reference = clouds(kind, 200, 1000)
    expected, found = knn(query, reference, 8), knn(query.cuda(), reference.cuda(), 8, backend=backend)
    assert torch.equal(found[1].cpu(), expected[1])
    torch.testing.assert_close(found[0].cpu(), expected[0])
    index = ball_query(query.cuda(), reference.cuda(), 0.75, 8, backend=backend)
    assert torch.equal(index.cpu(), ball_query(query, reference, 0.75, 8))
    if kind == 'random':
        chosen = farthest_point_sample(reference.cuda(), 50, backend=backend)
        assert torch.equal(chosen.cpu(), farthest_point_sample(reference, 50))


class FakeKernels:
    """What mmcv's CUDA kernels return, by their contract, in float32 on a CPU: checks what we make of it."""

    @staticmethod
    def knn(k: int, reference: Tensor, query: Tensor) -> Tensor:
        assert k < 100 and reference.dtype == query.dtype == torch.float32
        dist2 = (query[:, :, None] - reference[:, None]).square().sum(-1)
        # Equal distances come in any order: here the highest index first.
        order = dist2.flip(2).argsort(dim=2, stable=True)[..., :k]
        return (reference.shape[1] - 1 - order).transpose(1, 2).int()

    @staticmethod
    def ball_query(min_radius: float, radius: float, k: int, reference: Tensor, query: Tensor) -> Tensor:
        assert min_radius == 0
        index = torch.from_numpy(brute_ball(query[0], reference[0], radius, k))
        return index.clamp(min=0)[None].int()  # an empty ball is all 0


@pytest.mark.parametrize('kind', ['random', 'grid', 'one place'])
def test_results_of_mmcv_kernels_are_brought_to_our_rules(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType('mmcv.ops')
    module.knn, module.ball_query = FakeKernels.knn, FakeKernels.ball_query
    monkeypatch.setitem(sys.modules, 'mmcv.ops', module)
    query, reference = clouds(kind, 50, 300)
    for k in (1, 8, 98, 200):
        dist2, index = neighbour_search.nearest(query, reference, k, 'mmcv')
        np.testing.assert_array_equal(index, brute_knn(query, reference, k)[1])
        np.testing.assert_allclose(dist2, brute_knn(query, reference, k)[0], rtol=1e-12)
        for radius in (0.2, 1.5):
            found = neighbour_search.within(query, reference, radius, k, 0.0, 'mmcv')
            assert torch.equal(found, neighbour_search.within(query, reference, radius, k, 0.0, 'torch'))
