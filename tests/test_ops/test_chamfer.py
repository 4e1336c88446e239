"""Chamfer distance against brute force in numpy, closed forms and numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from mmfusion_plugin.ops import chamfer
from mmfusion_plugin.ops.chamfer import chamfer_distance, nearest_distances
from mmfusion_plugin.ops.clouds import CloudBatch

BACKENDS = ('scipy', 'torch')
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')


def brute(source: Tensor, target: Tensor, squared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest, both ways, from all pairs in float64."""
    x, y = source.double().numpy(), target.double().numpy()
    dist2 = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    both = dist2.min(axis=1), dist2.min(axis=0)
    return both if squared else tuple(np.sqrt(part) for part in both)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('squared', [True, False])
def test_equals_brute_force_for_clouds_of_any_size(backend: str, squared: bool, monkeypatch) -> None:
    monkeypatch.setattr(chamfer, '_PAIRS_AT_ONCE', 100)
    source, target = [torch.randn(n, 3) for n in (40, 1, 17)], [torch.randn(m, 3) for m in (30, 25, 1)]
    forward, backward = chamfer_distance(source, target, squared=squared, backend=backend)
    one, other = nearest_distances(source, target, squared=squared, backend=backend)
    assert forward.dtype == torch.float32 and one.shape == (3, 40) and other.shape == (3, 30)
    for row, pair in enumerate(zip(source, target)):
        expected = brute(*pair, squared)
        np.testing.assert_allclose(forward[row], expected[0].mean(), rtol=1e-5)
        np.testing.assert_allclose(backward[row], expected[1].mean(), rtol=1e-5)
        for found, wanted in zip((one[row], other[row]), expected):
            np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=1e-5)
            assert not found[len(wanted) :].any()


@pytest.mark.parametrize('backend', BACKENDS)
def test_padding_is_of_no_account(backend: str) -> None:
    source, target = torch.randn(2, 9, 3), torch.randn(2, 6, 3)
    source[0, 4:], target[1, 5:] = torch.inf, 0
    found = chamfer_distance(source, target, [4, 9], torch.tensor([6, 5]), backend=backend)
    expected = chamfer_distance([source[0, :4], source[1]], [target[0], target[1, :5]], backend=backend)
    assert torch.equal(torch.stack(found), torch.stack(expected))
    source.requires_grad_()
    sum(chamfer_distance(source, target, [4, 9], backend=backend)).sum().backward()
    assert bool(source.grad.isfinite().all()) and not source.grad[0, 4:].any()


def test_closed_forms() -> None:
    line = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    forward, backward = chamfer_distance(line, line + torch.tensor([0.0, 0, 3]), squared=False)
    assert float(forward) == float(backward) == 3
    forward, backward = chamfer_distance(line, line[:1] - torch.tensor([1.0, 0, 0]))
    assert (float(forward), float(backward)) == ((1 + 4) / 2, 1)  # ways differ


def test_same_after_a_rigid_motion_and_under_permutation() -> None:
    source, target = torch.randn(50, 3).double(), torch.randn(60, 3).double()
    expected = chamfer_distance(source, target)
    turn = torch.from_numpy(Rotation.random(random_state=0).as_matrix())
    torch.testing.assert_close(chamfer_distance(source @ turn + 5, target @ turn + 5), expected)
    torch.testing.assert_close(chamfer_distance(source[torch.randperm(50)], target[torch.randperm(60)]), expected)
    assert torch.equal(chamfer_distance(target, source)[0], expected[1])


def test_far_from_the_origin_nothing_cancels() -> None:
    source = torch.randint(0, 100, (40, 3)) / 64 + 4096
    target = source + torch.tensor([1 / 256, 0, 0])
    for backend in BACKENDS:
        forward, _ = chamfer_distance(source, target, squared=False, backend=backend)
        assert float(forward) == pytest.approx(1 / 256, rel=1e-6)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('squared', [True, False])
def test_gradient_is_that_of_the_distance(backend: str, squared: bool) -> None:
    source, target = (torch.randn(2, n, 3).double().requires_grad_() for n in (6, 7))

    def weighted(x: Tensor, y: Tensor) -> Tensor:
        forward, backward = chamfer_distance(x, y, [6, 4], [5, 7], squared, backend)
        return forward + 3 * backward

    assert torch.autograd.gradcheck(weighted, (source, target))


@pytest.mark.parametrize('squared', [True, False])
def test_no_gradient_at_distance_zero(squared: bool) -> None:
    cloud = torch.randn(2, 8, 3).requires_grad_()
    total = sum(chamfer_distance(cloud, cloud.detach().clone(), squared=squared)).sum()
    total.backward()
    assert total == 0 and not cloud.grad.any()


@pytest.mark.parametrize('backend', BACKENDS)
def test_empty_clouds(backend: str) -> None:
    source, target = torch.randn(3, 3).requires_grad_(), torch.zeros(0, 3)
    forward, backward = chamfer_distance(source, target, backend=backend)
    assert float(forward) == torch.inf and float(backward) == 0
    (forward + backward).backward()
    assert not source.grad.any()
    assert [float(way) for way in chamfer_distance(target, target, backend=backend)] == [0, 0]
    assert [part.shape for part in nearest_distances(target, source, backend=backend)] == [(1, 0), (1, 3)]
    mixed = chamfer_distance([source, target], [target, source], backend=backend)
    assert [way.tolist() for way in mixed] == [[torch.inf, 0], [0, torch.inf]]


def test_many_points_at_one_place() -> None:
    forward, backward = chamfer_distance(torch.zeros(1, 500, 3), torch.ones(1, 500, 3))
    assert float(forward) == float(backward) == 3


def test_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="'mmcv'"):
        chamfer_distance(torch.zeros(1, 3), torch.zeros(1, 3), backend='mmcv')


def test_scipy_on_another_device_is_refused() -> None:
    """On torch's device without content, whose coordinates cannot be checked first."""
    batch = CloudBatch(torch.empty(2, 5, 3, device='meta'), torch.tensor([5, 4]))
    with pytest.raises(ValueError, match="'scipy' searches on a CPU, the clouds are on meta: take 'torch'"):
        chamfer._nearest_index(batch, batch, 'scipy')


@cuda
def test_scipy_on_cuda_is_refused() -> None:
    cloud = torch.randn(4, 3, device='cuda')
    for function in (chamfer_distance, nearest_distances):
        with pytest.raises(ValueError, match='the clouds are on cuda'):
            function(cloud, cloud, backend='scipy')


@cuda
@pytest.mark.parametrize('squared', [True, False])
def test_cuda_equals_cpu(squared: bool) -> None:
    source, target = torch.randn(4, 300, 3), torch.randn(4, 200, 3)
    results = []
    for device in ('cpu', 'cuda'):
        leaf = source.to(device).requires_grad_()
        ways = torch.stack(chamfer_distance(leaf, target.to(device), squared=squared))
        ways.sum().backward()
        results.append((ways.detach().cpu(), leaf.grad.cpu()))
    torch.testing.assert_close(results[1], results[0])
