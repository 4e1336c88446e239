"""Sinkhorn divergence against geomloss and a plain loop in numpy; the exact distance against all permutations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from geomloss import SamplesLoss
from scipy.special import logsumexp
from torch import Tensor

from mmfusion_plugin.ops import emd
from mmfusion_plugin.ops.emd import exact_emd, sinkhorn_divergence

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')


def numpy_divergence(
    x: np.ndarray, y: np.ndarray, p: int, blur: float = 0.05, scaling: float = 0.5, diameter: float | None = None
) -> float:
    """Algorithm 3.5 of Feydy's thesis with all matrices at hand, one pair of clouds at a time."""

    def cost(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (((a[:, None] - b) ** 2).sum(2) ** 0.5) ** p / p

    def soft(matrix: np.ndarray, dual: np.ndarray, eps: float) -> np.ndarray:
        return -eps * logsumexp(dual - matrix / eps - np.log(matrix.shape[1]), axis=1)

    both = np.concatenate([x, y])
    size = diameter or np.linalg.norm(both.max(0) - both.min(0))
    blurs = []
    while size * scaling ** len(blurs) > blur:
        blurs.append(size * scaling ** len(blurs))
    steps = [e**p for e in [size, *blurs, blur]]
    value = 0.0
    for a, b in ((x, y), (x, x), (y, y)):
        there, back = cost(a, b), cost(b, a)
        f, g = soft(there, np.zeros(len(b)), steps[0]), soft(back, np.zeros(len(a)), steps[0])
        for eps in steps:
            f, g = (f + soft(there, g / eps, eps)) / 2, (g + soft(back, f / eps, eps)) / 2
        f, g = soft(there, g / steps[-1], steps[-1]), soft(back, f / steps[-1], steps[-1])
        value += (f.mean() + g.mean()) * (1 if a is x and b is y else -0.5)
    return value


def clouds(*sizes: int) -> list[Tensor]:
    """In and around the unit cube, each of another shape."""
    return [torch.rand(n, 3).double() * torch.rand(3).double() + 0.3 * torch.rand(3).double() for n in sizes]


@pytest.mark.parametrize('p', [1, 2])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_sinkhorn_equals_a_plain_loop_for_clouds_of_any_size(p: int, dtype: torch.dtype, monkeypatch) -> None:
    monkeypatch.setattr(emd, '_PAIRS_ON_CPU', 700)
    source, target = clouds(40, 25, 1), clouds(30, 50, 20)
    found = sinkhorn_divergence([c.to(dtype) for c in source], [c.to(dtype) for c in target], p=p, diameter=2.0)
    expected = [numpy_divergence(x.numpy(), y.numpy(), p, diameter=2.0) for x, y in zip(source, target)]
    np.testing.assert_allclose(found, expected, atol=1e-9 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize('p', [1, 2])
def test_sinkhorn_takes_diameter_blur_and_scaling_as_the_plain_loop(p: int) -> None:
    (source, target) = clouds(30, 35)
    for blur, scaling in ((0.05, 0.5), (0.01, 0.7), (5.0, 0.5)):
        found = float(sinkhorn_divergence(source, target, p=p, blur=blur, scaling=scaling))
        assert found == pytest.approx(numpy_divergence(source.numpy(), target.numpy(), p, blur, scaling), abs=1e-9)


@pytest.mark.parametrize('p', [1, 2])
@pytest.mark.parametrize('debias', [True, False])
def test_sinkhorn_equals_geomloss(p: int, debias: bool) -> None:
    source, target = torch.stack(clouds(60, 60, 60)).requires_grad_(), torch.stack(clouds(80, 80, 80)).requires_grad_()
    loss = SamplesLoss(**({} if p == 2 and debias else dict(p=p, debias=debias)))
    results = []
    for function in (lambda x, y: sinkhorn_divergence(x, y, p=p, debias=debias), loss):
        value = function(source, target)
        results.append((value.detach(), *torch.autograd.grad(value.sum(), (source, target))))
    ours, theirs = results
    # With p = 1 geomloss calls all distances below 1e-4 that much.
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-9 if p == 2 else 1e-4, rtol=0)
    torch.testing.assert_close(ours[1:], theirs[1:], atol=1e-9 if p == 2 else 1e-5, rtol=0)


@pytest.mark.parametrize('p', [1, 2])
def test_sinkhorn_comes_down_to_the_exact_cost(p: int) -> None:
    source, target = clouds(40, 40)
    exact = exact_emd(source, target, p=p)
    found = sinkhorn_divergence(source, target, p=p, blur=1e-3, scaling=0.95)
    torch.testing.assert_close(found, exact, rtol=5e-3, atol=0)


def test_sinkhorn_of_a_shifted_cloud_is_the_shift() -> None:
    (source,) = clouds(50)
    shift = torch.tensor([0.3, -0.4, 1.2]).double()  # 1.3 long
    for p, cost, blur in ((1, 1.3, 1e-4), (2, 1.3**2 / 2, 0.05)):
        found = float(sinkhorn_divergence(source, source + shift, p=p, blur=blur, scaling=0.9))
        assert found == pytest.approx(cost, rel=1e-3)
        assert float(sinkhorn_divergence(source, source.flip(0), p=p)) == pytest.approx(0, abs=1e-12)
    one = torch.zeros(1, 3)
    assert [float(sinkhorn_divergence(one, one + shift.float(), p=p)) for p in (1, 2)] == pytest.approx([1.3, 0.845])
    assert float(sinkhorn_divergence(one, one)) == 0


def test_sinkhorn_does_not_mind_where_the_clouds_are() -> None:
    source, target = (cloud.float() for cloud in clouds(50, 60))
    expected = sinkhorn_divergence(source, target)
    torch.testing.assert_close(sinkhorn_divergence(source + 256, target + 256), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(sinkhorn_divergence(target, source), expected)


@pytest.mark.parametrize('p', [1, 2])
def test_sinkhorn_gradient_at_convergence_is_that_of_the_value(p: int) -> None:
    source, target = (cloud.requires_grad_() for cloud in clouds(4, 5))

    def converged(x: Tensor, y: Tensor) -> Tensor:
        return sinkhorn_divergence(x, y, p=p, blur=0.5, scaling=0.95, diameter=2.0)

    assert torch.autograd.gradcheck(converged, (source, target), eps=1e-5, atol=1e-4)


def test_sinkhorn_padding_is_of_no_account() -> None:
    source, target = torch.stack(clouds(9, 9)), torch.stack(clouds(7, 7))
    source[0, 4:] = torch.nan
    source.requires_grad_()
    found = sinkhorn_divergence(source, target, [4, 9], [7, 3])
    expected = sinkhorn_divergence([source[0, :4], source[1]], [target[0], target[1, :3]])
    assert torch.equal(found, expected)
    found.sum().backward()
    assert bool(source.grad.isfinite().all()) and not source.grad[0, 4:].any() and bool(source.grad[0, :4].any())


def test_empty_clouds() -> None:
    nothing, source = torch.zeros(0, 3), torch.rand(4, 3).requires_grad_()
    found = sinkhorn_divergence([nothing, nothing, source], [nothing, source, source.detach() + 1])
    assert found[:2].tolist() == [0, torch.inf] and float(found[2]) == pytest.approx(1.5, rel=1e-3)
    found.sum().backward()
    assert bool(source.grad.isfinite().all())
    assert sinkhorn_divergence(nothing, nothing).tolist() == exact_emd(nothing, nothing).tolist() == [0]


@pytest.mark.parametrize('p', [1, 2])
@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_exact_equals_the_best_of_all_permutations(p: int, reduction: str) -> None:
    source, target = clouds(6, 4), clouds(6, 4)
    found = exact_emd(source, target, p=p, reduction=reduction)
    for row, (x, y) in enumerate(zip(source, target)):
        costs = ((x[:, None] - y) ** 2).sum(2).sqrt() ** p / p
        sums = [
            sum(costs[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(len(x)))
        ]
        best = float(min(sums)) / (len(x) if reduction == 'mean' else 1)
        assert float(found[row]) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize('p', [1, 2])
def test_exact_gradient(p: int) -> None:
    source, target = (cloud.requires_grad_() for cloud in clouds(6, 6))
    assert torch.autograd.gradcheck(lambda x, y: exact_emd(x, y, p=p, reduction='sum'), (source, target))
    same = exact_emd(source, source.detach(), p=p)
    same.sum().backward()
    assert float(same) == 0 and not source.grad.any()


def test_exact_of_a_cloud_onto_one_point_needs_no_assignment(monkeypatch) -> None:
    cloud, point = torch.rand(7, 3), torch.rand(1, 3).expand(7, 3)
    monkeypatch.setattr('mmfusion_plugin.ops.emd.linear_sum_assignment', None)
    expected = (cloud - point).norm(dim=1).mean()
    for pair in ((cloud, point), (point, cloud)):
        torch.testing.assert_close(exact_emd(*pair)[0], expected)


def test_exact_refuses_unequal_sizes_and_many_points() -> None:
    with pytest.raises(ValueError, match=r'equal size, got \[5\] and \[6\] points'):
        exact_emd(*clouds(5, 6))
    with pytest.raises(ValueError, match='2049 points are above the limit of 2048'):
        exact_emd(torch.zeros(2049, 3), torch.zeros(2049, 3))
    with pytest.raises(ValueError, match='reduction'):
        exact_emd(*clouds(5, 5), reduction='max')


@pytest.mark.parametrize('wrong', [dict(p=3), dict(blur=0.0), dict(scaling=1.0), dict(diameter=-1.0)])
def test_sinkhorn_refuses_numbers_out_of_range(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        sinkhorn_divergence(*clouds(5, 5), **wrong)


@cuda
@pytest.mark.parametrize('p', [1, 2])
def test_cuda_equals_cpu(p: int) -> None:
    source, target = torch.stack(clouds(200, 200)).float(), torch.stack(clouds(150, 150)).float()
    results = []
    for device in ('cpu', 'cuda'):
        leaf = source.to(device).requires_grad_()
        value = sinkhorn_divergence(leaf, target.to(device), p=p)
        value.sum().backward()
        results.append((value.detach().cpu(), leaf.grad.cpu()))
    torch.testing.assert_close(results[1], results[0], atol=1e-5, rtol=1e-3)
