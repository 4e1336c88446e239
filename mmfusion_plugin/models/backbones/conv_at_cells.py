"""A dense 2D convolution of which only some output cells are read."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Measured on a CPU, forward and backward, for 7 x 7 kernels of 64 and 128 to 256 channels: at this share of cells read
# the two ways take about the same time.
GATHER_SHARE = 0.5
CHUNK_NUMBERS = 2**21  # numbers held of the unfolded map at a time: 8 MB of float32


def conv_at_cells(feature_map: Tensor, weight: Tensor, cells: Tensor, gather: Optional[bool] = None) -> Tensor:
    """``conv2d`` with stride 1 and padding k // 2, read at some cells: the same numbers, less time and memory.

    Few cells: their k x k surroundings are gathered and multiplied, a chunk at a time; the backward pass gathers again
    rather than keep them. Many cells: the dense convolution.

    Args:
        feature_map: (B, C, h, w) floating. Cheapest in ``torch.channels_last``.
        weight: (O, C, k, k), k odd.
        cells: (n,) int64 ``(image * h + row) * w + column``, each at most once; n may be 0.
        gather: Take the first way or the second; None chooses the cheaper one by the share of cells read, on a CPU,
            and the second on CUDA, where the share has not been measured.

    Returns:
        (n, O) in the dtype of the map. Differentiable (once) in the map and the weight.
    """
    if gather is None:
        images, _, height, width = feature_map.shape
        gather = not feature_map.is_cuda and len(cells) < GATHER_SHARE * images * height * width
    if gather:
        return _GatheredConv.apply(feature_map, weight.to(feature_map.dtype), cells)
    dense = F.conv2d(feature_map, weight, padding=weight.shape[-1] // 2)
    return dense.movedim(1, -1).flatten(0, -2).index_select(0, cells)


class _GatheredConv(torch.autograd.Function):
    """The k x k surroundings of each cell times the kernel."""

    @staticmethod
    def forward(ctx: Any, feature_map: Tensor, weight: Tensor, cells: Tensor) -> Tensor:
        ctx.save_for_backward(feature_map, weight, cells)
        windows, index = _windows(feature_map, weight.shape[-1], cells)
        kernel = _kernel(weight)
        out = feature_map.new_empty((len(cells), weight.shape[0]))
        step = _step(kernel)
        for corner, product in zip(index.split(step), out.split(step)):
            torch.mm(windows[corner].flatten(1), kernel, out=product)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, Tensor, None]:
        feature_map, weight, cells = ctx.saved_tensors
        (images, channels, height, width), size = feature_map.shape, weight.shape[-1]
        windows, index = _windows(feature_map, size, cells)
        kernel, margin = _kernel(weight), size // 2
        # Sums of many terms: not in half precision.
        wide = torch.promote_types(grad.dtype, torch.float32)
        grad_kernel = torch.zeros_like(kernel, dtype=wide)
        grad_map = grad.new_zeros((images, height + 2 * margin, width + 2 * margin, channels), dtype=wide)
        grad_rows = grad_map.view(-1, channels)
        step = _step(kernel)
        for corner, part in zip(index.split(step), grad.split(step)):
            grad_kernel += windows[corner].flatten(1).t() @ part
            parts = (part @ kernel.t()).view(-1, size * size, channels)
            for tap in range(size * size):
                # Cells differ, so within one tap no row is met twice.
                row = corner[:, tap // size] + tap % size
                grad_rows[row] += parts[:, tap]
        grad_map = grad_map[:, margin:margin + height, margin:margin + width].movedim(-1, 1)
        grad_weight = grad_kernel.view(size, size, channels, -1).permute(3, 2, 0, 1)
        return grad_map.to(feature_map.dtype), grad_weight.to(weight.dtype), None


def _windows(feature_map: Tensor, size: int, cells: Tensor) -> Tuple[Tensor, Tensor]:
    """Every k cells in a row of the padded map, (R, k * C) without a copy, and which k of them surround each cell."""
    height, width = feature_map.shape[-2:]
    margin = size // 2
    rows = F.pad(feature_map.movedim(1, -1), (0, 0, margin, margin, margin, margin)).flatten(0, -2)
    channels = rows.shape[1]
    windows = rows.as_strided((len(rows) - size + 1, size * channels), (channels, 1))
    image, rest = cells // (height * width), cells % (height * width)
    corner = (image * (height + 2 * margin) + rest // width) * (width + 2 * margin) + rest % width
    return windows, corner[:, None] + torch.arange(size, device=cells.device) * (width + 2 * margin)


def _kernel(weight: Tensor) -> Tensor:
    """(O, C, k, k) to (k * k * C, O)."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2)


def _step(kernel: Tensor) -> int:
    return max(1, CHUNK_NUMBERS // len(kernel))
