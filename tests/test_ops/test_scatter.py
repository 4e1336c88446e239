"""Reductions by index against numpy's unbuffered ones, their gradients, and their rules for ties and empty rows."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmfusion_plugin.ops import scatter
from mmfusion_plugin.ops.scatter import majority_vote, scatter_max, scatter_mean, scatter_sum

SHAPES = [(200,), (200, 3), (200, 64), (200, 4, 8)]
REDUCTIONS = [scatter_sum, scatter_mean, lambda *args: scatter_max(*args)[0]]


def numpy_sum(src: Tensor, index: Tensor, size: int) -> np.ndarray:
    total = np.zeros((size,) + tuple(src.shape[1:]))
    np.add.at(total, index.numpy(), src.double().numpy())
    return total


def numpy_max(src: Tensor, index: Tensor, size: int) -> tuple[np.ndarray, np.ndarray]:
    best, row = np.zeros((size,) + tuple(src.shape[1:])), np.full((size,) + tuple(src.shape[1:]), -1)
    for target in range(size):
        members = np.flatnonzero(index.numpy() == target)
        if len(members):
            row[target] = members[src.numpy()[members].argmax(axis=0)]  # numpy's argmax is the first of equals
            best[target] = src.numpy()[members].max(axis=0)
    return best, row


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_values_equal_numpy(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    src, index = torch.randn(shape, dtype=dtype), torch.randint(0, 40, shape[:1])
    index[index == 7] = 8  # an empty row
    count = np.bincount(index, minlength=41).clip(min=1).reshape((-1,) + (1,) * (src.dim() - 1))
    tolerance = dict(rtol=1e-5, atol=1e-5) if dtype == torch.float32 else dict(rtol=1e-12, atol=1e-12)
    total, mean = scatter_sum(src, index, 41), scatter_mean(src, index, 41)
    np.testing.assert_allclose(total, numpy_sum(src, index, 41), **tolerance)
    np.testing.assert_allclose(mean, numpy_sum(src, index, 41) / count, **tolerance)
    values, argmax = scatter_max(src, index, 41)
    expected_values, expected_argmax = numpy_max(src, index, 41)
    np.testing.assert_array_equal(values, expected_values)
    np.testing.assert_array_equal(argmax, expected_argmax)
    assert total.dtype == mean.dtype == values.dtype == dtype


@pytest.mark.parametrize('reduce', REDUCTIONS)
@pytest.mark.parametrize('columns', [2, 17])
def test_gradients(reduce: Callable, columns: int) -> None:
    src = torch.randn(9, columns, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([0, 2, 2, 5, 0, 2, 3, 3, 5])
    assert torch.autograd.gradcheck(lambda x: reduce(x, index, 7), (src,))
    assert torch.autograd.gradgradcheck(lambda x: reduce(x, index, 7), (src,))


@pytest.mark.parametrize('reduce', REDUCTIONS)
def test_float32_gradients_equal_float64(reduce: Callable) -> None:
    """The wide float32 path has code of its own, which gradcheck does not reach."""
    index, weight = torch.randint(0, 40, (200,)), torch.randn(41, 32)
    src = torch.randn(200, 32, requires_grad=True)
    exact = src.detach().double().requires_grad_()
    (reduce(src, index, 41) * weight).sum().backward()
    (reduce(exact, index, 41) * weight.double()).sum().backward()
    torch.testing.assert_close(src.grad.double(), exact.grad, rtol=1e-5, atol=1e-6)


def test_max_sends_its_gradient_to_the_first_of_equals() -> None:
    src = torch.tensor([[1.0], [3.0], [3.0], [2.0]], requires_grad=True)
    values, argmax = scatter_max(src, torch.tensor([0, 0, 0, 2]), 3)
    assert values.tolist() == [[3.0], [0.0], [2.0]] and argmax.tolist() == [[1], [-1], [3]]
    values.sum().backward()
    assert src.grad.tolist() == [[0.0], [1.0], [0.0], [1.0]]


def test_max_of_infinities() -> None:
    src = torch.tensor([-torch.inf, -torch.inf, torch.inf, 1.0])
    values, argmax = scatter_max(src, torch.tensor([0, 0, 1, 1]), 3)
    assert values.tolist() == [-torch.inf, torch.inf, 0.0] and argmax.tolist() == [0, 2, -1]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16])
def test_nan_is_the_maximum_and_takes_the_gradient(dtype: torch.dtype) -> None:
    nan = torch.nan
    src = torch.tensor([[1, 1], [nan, 5], [2, nan], [nan, nan], [7, 3]], dtype=dtype, requires_grad=True)
    values, argmax = scatter_max(src, torch.tensor([2, 2, 2, 2, 0]), 3)
    assert argmax.tolist() == [[4, 4], [-1, -1], [1, 2]]
    assert bool(values[2].isnan().all()) and values[:2].tolist() == [[7.0, 3.0], [0.0, 0.0]]
    values.sum().backward()
    assert src.grad.tolist() == [[0, 0], [1, 0], [0, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('columns', [1, 32])
def test_half_precision_accumulates_in_float32(dtype: torch.dtype, columns: int) -> None:
    """4096 + 1 = 4096 in both half dtypes; 70,000 is beyond float16."""
    src = torch.ones(70000, columns, dtype=dtype, requires_grad=True)
    index = torch.zeros(70000, dtype=torch.long)
    total, mean = scatter_sum(src, index, 1), scatter_mean(src, index, 1)
    assert total.dtype == mean.dtype == torch.float32
    assert bool((total == 70000).all()) and bool((mean == 1).all())
    values, argmax = scatter_max(src, index, 1)
    assert values.dtype == dtype and bool((values == 1).all()) and bool((argmax == 0).all())
    total.sum().backward()
    assert src.grad.dtype == dtype and bool((src.grad == 1).all())


def test_under_autocast() -> None:
    linear, x, index = torch.nn.Linear(8, 32), torch.randn(5000, 8), torch.zeros(5000, dtype=torch.long)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        features = linear(x)
        total = scatter_sum(features, index, 1)
    assert features.dtype == torch.bfloat16 and total.dtype == torch.float32
    torch.testing.assert_close(total, features.float().sum(0, keepdim=True), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize('reduce', REDUCTIONS)
@pytest.mark.parametrize(('rows', 'columns', 'size'), [(0, 3, 4), (0, 32, 4), (0, 3, 0), (1, 32, 1), (5, 0, 3)])
def test_sizes(reduce: Callable, rows: int, columns: int, size: int) -> None:
    src = torch.randn(rows, columns, requires_grad=True)
    result = reduce(src, torch.zeros(rows, dtype=torch.long), size)
    assert result.shape == (size, columns)
    torch.testing.assert_close(result.sum(), src.sum())  # zeros, or the only row


@pytest.mark.parametrize('columns', [3, 32])
def test_same_result_every_time(columns: int) -> None:
    src, index = torch.randn(30000, columns), torch.randint(0, 500, (30000,))
    first = scatter_sum(src, index, 500)
    assert all(torch.equal(scatter_sum(src, index, 500), first) for _ in range(3))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 60), size=st.integers(1, 9), columns=st.sampled_from([1, 20]))
def test_order_of_the_points_does_not_matter(seed: int, rows: int, size: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    src = torch.randn(rows, columns, generator=generator)
    index = torch.randint(0, size, (rows,), generator=generator)
    labels = torch.randint(0, 4, (rows,), generator=generator)
    shuffle = torch.randperm(rows, generator=generator)
    for reduce in REDUCTIONS:
        torch.testing.assert_close(reduce(src[shuffle], index[shuffle], size), reduce(src, index, size))
    vote = majority_vote(labels[shuffle], index[shuffle], size, 4)
    assert torch.equal(vote, majority_vote(labels, index, size, 4))
    # Renaming the rows of the result permutes it.
    rename = torch.randperm(size, generator=generator)
    torch.testing.assert_close(scatter_sum(src, rename[index], size)[rename], scatter_sum(src, index, size))


@pytest.mark.parametrize('reduce', [*REDUCTIONS, lambda s, i, n: majority_vote(s[:, 0].long(), i, n, 100)])
def test_wrong_index_is_refused(reduce: Callable) -> None:
    src, index = torch.rand(4, 3), torch.tensor([0, 1, 2, 3])
    with pytest.raises(ValueError, match='index reaches from 0 to 3, but the result has rows 0 to 2'):
        reduce(src, index, 3)
    with pytest.raises(ValueError, match='index reaches from -1'):
        reduce(src, index - 1, 4)
    with pytest.raises(TypeError, match='int64'):
        reduce(src, index.int(), 4)
    with pytest.raises(ValueError, match=r'index \(N,\)'):
        reduce(src, index[:2], 4)


@pytest.mark.parametrize('reduce', REDUCTIONS)
def test_integer_rows_are_refused(reduce: Callable) -> None:
    with pytest.raises(TypeError, match='src must be floating'):
        reduce(torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 1]), 2)


def brute_vote(labels: Tensor, index: Tensor, size: int, num_classes: int, ignore_index: int) -> list[int]:
    votes = [
        np.bincount(labels[(index == row) & (labels != ignore_index)], minlength=num_classes) for row in range(size)
    ]
    return [int(count.argmax()) if count.any() else ignore_index for count in votes]


@pytest.mark.parametrize('cells', [1 << 24, 50, 1])
def test_majority_vote_equals_counting(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatter, '_VOTE_CELLS', cells)
    labels, index = torch.randint(0, 17, (500,)), torch.randint(0, 100, (500,))
    for ignore_index in (16, 0):
        vote = majority_vote(labels, index, 110, 17, ignore_index)
        assert vote.tolist() == brute_vote(labels, index, 110, 17, ignore_index)


def test_majority_vote_ties_empty_rows_and_ignored_points() -> None:
    labels, index = torch.tensor([3, 1, 1, 3, 9, 9, 2]), torch.tensor([0, 0, 0, 0, 1, 2, 2])
    assert majority_vote(labels, index, 4, 5, ignore_index=9).tolist() == [1, 9, 2, 9]
    assert majority_vote(labels.int(), index, 4, 10).tolist() == [1, 9, 2, -1]
    assert majority_vote(labels[:0], index[:0], 2, 5, ignore_index=255).tolist() == [255, 255]
    assert majority_vote(labels[:0], index[:0], 0, 5).tolist() == []


def test_majority_vote_of_unsigned_labels() -> None:
    """The -1 of empty rows has no place in uint8, which is what label files hold."""
    labels, index = torch.tensor([3, 3, 1], dtype=torch.uint8), torch.tensor([0, 0, 2])
    vote = majority_vote(labels, index, 4, 5)
    assert vote.tolist() == [3, -1, 1, -1] and vote.dtype == torch.int64
    vote = majority_vote(labels, index, 4, 5, ignore_index=255)
    assert vote.tolist() == [3, 255, 1, 255] and vote.dtype == torch.uint8


def test_majority_vote_refuses_unknown_labels() -> None:
    index = torch.tensor([0, 1])
    for labels in (torch.tensor([0, 5]), torch.tensor([-1, 0])):
        with pytest.raises(ValueError, match='map them to classes first'):
            majority_vote(labels, index, 2, 5, ignore_index=255)
    with pytest.raises(TypeError, match='integers'):
        majority_vote(torch.rand(2), index, 2, 5)
