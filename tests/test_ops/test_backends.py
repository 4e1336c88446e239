"""Asking mmcv and spconv what they can do, and the choice that 'auto' makes of it."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from mmfusion_plugin.ops import backends, farthest_points, neighbours, sparse_conv

CPU, CUDA = torch.device('cpu'), torch.device('cuda', 0)
ON_CUDA = SimpleNamespace(is_cuda=True, dtype=torch.float32, device=CUDA, shape=(1, 4, 3))


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    for ask in (backends.mmcv_runs_on, backends.spconv_runs_on):
        ask.cache_clear()
    yield
    for ask in (backends.mmcv_runs_on, backends.spconv_runs_on):
        ask.cache_clear()


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    """Put a stand-in for the module ``name``."""
    module = types.ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


def forget(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Make a library one that is not installed: importing it fails as it does then, for its submodules as well."""
    for name in [name for name in sys.modules if name.split('.')[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    original = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name.split('.')[0] == library:
            raise ModuleNotFoundError(f'No module named {library!r}', name=library)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)


def test_mmcv_is_asked_once_by_running_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backends.mmcv_runs_on(CPU), 'the mmcv of the tests has its CPU ops'
    backends.mmcv_runs_on.cache_clear()
    runs = []
    pretend(monkeypatch, 'mmcv.ops', nms=lambda *args, **kwargs: runs.append(args))
    assert backends.mmcv_runs_on(CPU) and backends.mmcv_runs_on(CPU) and len(runs) == 1


def test_mmcv_compiled_without_cuda_is_not_taken_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def nms(boxes: torch.Tensor, *args: object, **kwargs: object) -> None:
        raise RuntimeError('nms_impl: implementation for device cuda:0 not found.')

    pretend(monkeypatch, 'mmcv.ops', nms=nms)
    assert not backends.mmcv_runs_on(CPU)


def test_absent_libraries_leave_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ('mmcv', 'spconv'):
        forget(monkeypatch, library)
    assert not backends.mmcv_runs_on(CPU) and not backends.spconv_runs_on(CPU)
    with pytest.raises(ModuleNotFoundError, match='spconv'):
        backends.load_spconv()
    assert neighbours._resolve('auto', ON_CUDA) == 'torch'
    assert not farthest_points._use_mmcv(ON_CUDA, 0, 'auto')
    assert sparse_conv._choose_backend('auto', ON_CUDA) == 'torch'


@pytest.mark.parametrize('able', [False, True])
def test_auto_asks_what_runs_on_the_device(monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    asked = []
    for module, name in ((neighbours, 'mmcv_runs_on'), (farthest_points, 'mmcv_runs_on'),
                         (sparse_conv, 'spconv_runs_on')):
        monkeypatch.setattr(module, name, lambda device: asked.append(device) or able)
    assert neighbours._resolve('auto', ON_CUDA) == ('mmcv' if able else 'torch')
    assert farthest_points._use_mmcv(ON_CUDA, 0, 'auto') is able
    assert sparse_conv._choose_backend('auto', ON_CUDA) == ('spconv' if able else 'torch')
    assert asked == [CUDA] * 3
    if not able:
        with pytest.raises(ValueError, match='compiled for CUDA'):
            farthest_points._use_mmcv(ON_CUDA, 0, 'mmcv')


@pytest.mark.parametrize('cpu_only', [False, True])
def test_spconv_built_without_cuda_is_not_taken_on_cuda(monkeypatch: pytest.MonkeyPatch, cpu_only: bool) -> None:
    monkeypatch.setattr(backends, 'load_spconv', lambda: None)
    pretend(monkeypatch, 'spconv')
    pretend(monkeypatch, 'spconv.cppconstants', CPU_ONLY_BUILD=cpu_only)
    assert backends.spconv_runs_on(CUDA) is not cpu_only and backends.spconv_runs_on(CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="spconv's CPU wheel is for machines without CUDA")
def test_spconv_runs_backward_on_a_cpu() -> None:
    pytest.importorskip('spconv.pytorch', reason='spconv is optional')
    spconv = backends.load_spconv()
    features = torch.randn(2, 3, requires_grad=True)
    indices = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.int32)
    layer = spconv.SubMConv3d(3, 4, 3, bias=False)
    layer(spconv.SparseConvTensor(features, indices, [2, 2, 2], 1)).features.sum().backward()
    # Each voxel meets itself at the kernel's centre and its neighbour one step along the first axis, on either side.
    weight = layer.weight.detach().sum(0)
    expected = torch.stack([weight[1, 1, 1] + weight[0, 1, 1], weight[1, 1, 1] + weight[2, 1, 1]])
    torch.testing.assert_close(features.grad, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_auto_runs_on_cuda_whatever_was_compiled() -> None:
    points = torch.rand(1, 64, 3)
    for op in (lambda p: neighbours.knn(p, p, 4)[1], lambda p: farthest_points.farthest_point_sample(p, 8)):
        assert torch.equal(op(points.cuda()).cpu(), op(points))
