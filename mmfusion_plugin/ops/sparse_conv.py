"""Submanifold, strided and inverse sparse convolution on both devices.

Weights are laid out ``(out, kx, ky, kz, in)``: spconv's own layout since 2.2, with the axes in the order of our
coordinate columns (x, y, z). A network trained with (z, y, x) indices is brought over by :func:`weight_from_zyx`.

Each kernel offset is one matrix product of gathered rows; the products are then summed per output voxel in a fixed
order, so results repeat bit for bit. ``backend='spconv'`` hands the same rulebook to spconv's fused kernels instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterator, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .backends import load_spconv, spconv_runs_on
from .sparse_rulebook import PairOrder, Rulebook, Triple, build_strided, build_submanifold, linear_keys

IntOrTriple = Union[int, Tuple[int, int, int]]
BACKENDS = ('auto', 'torch', 'spconv')


@dataclass(frozen=True)
class SparseTensor:
    """Features on the occupied voxels of a batch of volumes.

    Attributes:
        features: (V, C) float.
        coordinates: (V, 4) int64 [batch, x, y, z], unique and in lexicographic order (as from ``unique_voxels``).
        spatial_shape: Extent of the volume in voxels along x, y, z.
        batch_size: Number of samples; a sample may hold no voxel.
        cache: Rulebooks, shared by all tensors derived from this one.

    Raises:
        ValueError: Shapes disagree, or coordinates are outside the volume, repeated or unsorted.
        TypeError: Features are not floating point, or coordinates not int64.
    """

    features: Tensor
    coordinates: Tensor
    spatial_shape: Triple
    batch_size: int
    cache: Dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        features, coordinates = self.features, self.coordinates
        if features.ndim != 2 or coordinates.ndim != 2 or coordinates.shape[1] != 4:
            raise ValueError(
                'a SparseTensor needs features (V, C) and coordinates (V, 4), '
                f'got {tuple(features.shape)} and {tuple(coordinates.shape)}'
            )
        if features.shape[0] != coordinates.shape[0]:
            raise ValueError(f'{features.shape[0]} feature rows for {coordinates.shape[0]} coordinates')
        if not features.is_floating_point():
            raise TypeError(f'features must be floating point, got {features.dtype}')
        if coordinates.dtype != torch.int64:
            raise TypeError(f'coordinates must be int64, got {coordinates.dtype}: call .long()')
        if features.device != coordinates.device:
            raise ValueError(f'features are on {features.device}, coordinates on {coordinates.device}')
        object.__setattr__(self, 'spatial_shape', _triple(self.spatial_shape, 'spatial_shape', least=1))
        if 'checked' not in self.cache:
            _check_coordinates(coordinates, self.spatial_shape, self.batch_size)
            self.cache['checked'] = True

    def replace_features(self, features: Tensor) -> SparseTensor:
        """The same voxels with other features (V, C'); rulebooks stay shared."""
        return replace(self, features=features)


def submanifold_conv3d(
    x: SparseTensor,
    weight: Tensor,
    bias: Optional[Tensor] = None,
    dilation: IntOrTriple = 1,
    backend: str = 'auto',
) -> SparseTensor:
    """Convolution whose outputs sit exactly on the input's voxels (Graham et al., CVPR 2018).

    Args:
        x: Input with C_in channels.
        weight: (C_out, kx, ky, kz, C_in), odd kernel extents.
        bias: (C_out,) or None.
        dilation: Spacing of the kernel's taps in voxels.
        backend: 'torch', 'spconv', or 'auto' (spconv on CUDA where installed and able, else torch).

    Returns:
        The same voxels with C_out channels, in the input's dtype (under autocast: autocast's dtype).
    """
    kernel = _check_weight(x, weight, bias)
    if not all(k % 2 for k in kernel):
        raise ValueError(f'a submanifold kernel has odd extents, got {kernel}')
    dilation = _triple(dilation, 'dilation', least=1)
    key = ('submanifold', kernel, dilation)
    if key not in x.cache:
        x.cache[key] = build_submanifold(x.coordinates, x.spatial_shape, kernel, dilation)
    return x.replace_features(_convolve(x.features, weight, bias, x.cache[key], backend))


def strided_conv3d(
    x: SparseTensor,
    weight: Tensor,
    bias: Optional[Tensor] = None,
    stride: IntOrTriple = 2,
    padding: IntOrTriple = 0,
    dilation: IntOrTriple = 1,
    key: Optional[str] = None,
    backend: str = 'auto',
) -> SparseTensor:
    """Sparse convolution with stride: an output voxel exists wherever at least one input voxel reaches it.

    Args:
        x: Input with C_in channels.
        weight: (C_out, kx, ky, kz, C_in).
        bias: (C_out,) or None.
        stride: Step between outputs in input voxels.
        padding: Zeros around the volume.
        dilation: Spacing of the kernel's taps in voxels.
        key: Name under which :func:`inverse_conv3d` finds the way back.
        backend: 'torch', 'spconv', or 'auto'.

    Returns:
        SparseTensor of C_out channels on sorted output voxels, spatial shape as for a dense convolution.
    """
    kernel = _check_weight(x, weight, bias)
    stride, dilation = _triple(stride, 'stride', least=1), _triple(dilation, 'dilation', least=1)
    padding = _triple(padding, 'padding', least=0)
    cache_key = ('strided', kernel, stride, padding, dilation)
    if cache_key not in x.cache:
        built = build_strided(x.coordinates, x.spatial_shape, x.batch_size, kernel, stride, padding, dilation)
        x.cache[cache_key] = (*built, {'checked': True, 'keys': dict(x.cache.get('keys', {}))})
    rulebook, coordinates, shape, cache = x.cache[cache_key]
    if key is not None:
        known = cache['keys'].setdefault(key, (rulebook, x))
        if known[0] is not rulebook:
            raise ValueError(f'key {key!r} already names another strided convolution: choose a name per level')
    features = _convolve(x.features, weight, bias, rulebook, backend)
    return SparseTensor(features, coordinates, shape, x.batch_size, cache)


def inverse_conv3d(
    x: SparseTensor, weight: Tensor, bias: Optional[Tensor] = None, *, key: str, backend: str = 'auto'
) -> SparseTensor:
    """Transposed convolution back onto the voxels that the strided convolution of the same key started from.

    Args:
        x: Descendant of that strided convolution's output, on the same voxels.
        weight: (C_out, kx, ky, kz, C_in), the strided convolution's kernel extents.
        bias: (C_out,) or None.
        key: The strided convolution's key.
        backend: 'torch', 'spconv', or 'auto'.

    Returns:
        SparseTensor of C_out channels on the strided convolution's input voxels.

    Raises:
        KeyError: No strided convolution on the way to ``x`` carries that key.
    """
    kernel = _check_weight(x, weight, bias)
    keys = x.cache.get('keys', {})
    if key not in keys:
        raise KeyError(f'no strided convolution with key {key!r} led here, only {sorted(keys)}: pass key= to it')
    rulebook, origin = keys[key]
    if kernel != rulebook.kernel_size or rulebook.num_target != x.features.shape[0]:
        raise ValueError(
            f'the layer of key {key!r} has kernel {rulebook.kernel_size} and {rulebook.num_target} output voxels, '
            f'got kernel {kernel} on {x.features.shape[0]} voxels'
        )
    return origin.replace_features(_convolve(x.features, weight, bias, rulebook.transposed, backend))


def weight_from_zyx(weight: Tensor) -> Tensor:
    """Bring a weight trained on (z, y, x) indices, (out, kz, ky, kx, in), to our (out, kx, ky, kz, in)."""
    return weight.permute(0, 3, 2, 1, 4).contiguous()


def sum_rows(rows: Tensor, order: PairOrder) -> Tensor:
    """Sum the rows (P, C) that belong to each voxel, in float32 for half types, in a fixed order; (V, C)."""
    size = order.start.shape[0] - 1
    if size == 0 or rows.shape[0] == 0:
        return rows.new_zeros((size, rows.shape[1]))
    wide = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
    summed = F.embedding_bag(order.order, wide, order.start, mode='sum', include_last_offset=True)
    return summed.to(rows.dtype)


class _GatherMatmulSum(torch.autograd.Function):
    """out[o] = sum over pairs (i, o) of offset k: features[i] @ weight[k]."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, rulebook: Rulebook) -> Tensor:
        ctx.rulebook = rulebook
        ctx.save_for_backward(features, weight)
        return _accumulate(features, weight.transpose(0, 2), rulebook, reverse=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, Optional[Tensor], None]:
        features, weight = ctx.saved_tensors
        book: Rulebook = ctx.rulebook
        grad = grad.contiguous()
        if not ctx.needs_input_grad[1]:
            return _accumulate(grad, weight, book, reverse=True), None, None
        # Both gradients in one pass, so that the rows of ``grad`` are gathered once.
        grad_weight = torch.zeros_like(weight)
        products = grad.new_empty((book.source.shape[0], weight.shape[2]))
        sent = _gather_blocks(features, book.source, book.counts)
        received = _gather_blocks(grad, book.target, book.counts)
        for offset, begin, end, product in zip(book.offsets, sent, received, products.split(book.counts)):
            torch.mm(end, weight[:, offset], out=product)
            torch.mm(end.t(), begin, out=grad_weight[:, offset])
        if book.centre >= 0:
            torch.mm(grad.t(), features, out=grad_weight[:, book.centre])
        return _sum_products(products, book.by_source, grad, weight, book.centre), grad_weight, None


def _accumulate(rows: Tensor, weight: Tensor, book: Rulebook, reverse: bool) -> Tensor:
    """Send rows (V, A) through ``weight`` (A, K, B) along the rulebook's pairs, or against them (``reverse``)."""
    begins, order = (book.target, book.by_source) if reverse else (book.source, book.by_target)
    products = rows.new_empty((begins.shape[0], weight.shape[2]))
    gathered = _gather_blocks(rows, begins, book.counts)
    for offset, begin, product in zip(book.offsets, gathered, products.split(book.counts)):
        torch.mm(begin, weight[:, offset], out=product)
    return _sum_products(products, order, rows, weight, book.centre)


def _gather_blocks(rows: Tensor, index: Tensor, counts: Tuple[int, ...]) -> Iterator[Tensor]:
    """Rows of one block of pairs after the other, all in the same memory: the next overwrites the last."""
    buffer = rows.new_empty((max(counts, default=0), rows.shape[1]))
    for block in index.split(counts):
        yield torch.index_select(rows, 0, block, out=buffer[: block.shape[0]])


def _sum_products(products: Tensor, order: PairOrder, rows: Tensor, weight: Tensor, centre: int) -> Tensor:
    """Sum of each voxel's products, and of its own row's where the kernel has a centre."""
    out = sum_rows(products, order)
    return out.addmm_(rows, weight[:, centre]) if centre >= 0 else out


def _convolve(features: Tensor, weight: Tensor, bias: Optional[Tensor], book: Rulebook, backend: str) -> Tensor:
    """Apply a rulebook with the chosen backend; autocast's dtype rules the products."""
    dtype = _autocast_dtype(features.device.type)
    if dtype is not None:
        features, weight = features.to(dtype), weight.to(dtype)
    if _choose_backend(backend, features) == 'spconv' and features.shape[0] and book.source.shape[0]:
        out = _spconv_convolve(features, weight, book)
    else:
        flat = weight.reshape(weight.shape[0], -1, weight.shape[-1])
        out = _GatherMatmulSum.apply(features, flat, book)
    return out if bias is None else out + bias.to(out.dtype)


def _spconv_convolve(features: Tensor, weight: Tensor, book: Rulebook) -> Tensor:
    """spconv's native kernels on our rulebook."""
    spconv = load_spconv()
    functional = spconv.functional
    pairs, counts = book.native_pairs
    apply = functional.indice_subm_conv if book.centre >= 0 else functional.indice_conv
    return apply(features, weight.contiguous(), pairs, counts, book.num_target, spconv.ConvAlgo.Native)


def _choose_backend(backend: str, features: Tensor) -> str:
    """Resolve 'auto'; spconv's kernels know float32 and float16."""
    if backend not in BACKENDS:
        raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
    if backend != 'auto':
        return backend
    if features.is_cuda and features.dtype in (torch.float32, torch.float16) and spconv_runs_on(features.device):
        return 'spconv'
    return 'torch'


def _autocast_dtype(device: str) -> Optional[torch.dtype]:
    """Autocast's dtype on a kind of device, None where autocast is off."""
    if hasattr(torch, 'get_autocast_dtype'):  # torch >= 2.4
        return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    if device == 'cpu':
        return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
    return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None


def _check_weight(x: SparseTensor, weight: Tensor, bias: Optional[Tensor]) -> Triple:
    """Kernel extents of a weight that fits the input."""
    if weight.ndim != 5 or weight.shape[-1] != x.features.shape[1]:
        raise ValueError(
            f'weight must be (out, kx, ky, kz, in={x.features.shape[1]}), got {tuple(weight.shape)}: '
            'weights of another layout are permuted first'
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f'bias must be ({weight.shape[0]},), got {tuple(bias.shape)}')
    return tuple(weight.shape[1:4])


def _triple(value: IntOrTriple, name: str, least: int) -> Triple:
    values = (value,) * 3 if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != 3 or min(values) < least:
        raise ValueError(f'{name} must be one or three integers of at least {least}, got {value}')
    return values


def _check_coordinates(coordinates: Tensor, shape: Triple, batch_size: int) -> None:
    if coordinates.shape[0] == 0:
        return
    lowest, highest = coordinates.amin(0).tolist(), coordinates.amax(0).tolist()
    limits = (batch_size, *shape)
    if min(lowest) < 0 or any(high >= limit for high, limit in zip(highest, limits)):
        raise ValueError(
            f'coordinates [batch, x, y, z] span {lowest} to {highest}, outside batch size and spatial shape {limits}: '
            'drop points outside the volume first (ops.voxels.in_volume)'
        )
    steps = linear_keys(coordinates, shape).diff()
    if steps.numel() and int(steps.min()) <= 0:
        problem = 'repeated' if bool((steps == 0).any()) else 'not sorted'
        raise ValueError(f'coordinates are {problem}: make them with ops.voxels.unique_voxels')
