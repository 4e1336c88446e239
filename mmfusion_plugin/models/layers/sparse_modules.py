"""Sparse convolutions as modules, and the residual block built from them."""

from __future__ import annotations

import math
from typing import Optional, Tuple, Union

import torch
from torch import Tensor, nn

from mmfusion_plugin.ops.sparse_conv import SparseTensor, inverse_conv3d, strided_conv3d, submanifold_conv3d

from .norm import NormCfg, build_norm

IntOrTriple = Union[int, Tuple[int, int, int]]


class _SparseConv3d(nn.Module):
    """Weight (out, kx, ky, kz, in) and bias of a sparse convolution, initialised as torch initialises ``nn.Conv3d``."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: IntOrTriple, bias: bool, backend: str) -> None:
        super().__init__()
        kernel = (kernel_size,) * 3 if isinstance(kernel_size, int) else tuple(kernel_size)
        self.backend = backend
        self.weight = nn.Parameter(torch.empty(out_channels, *kernel, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        bound = 1 / math.sqrt(in_channels * math.prod(kernel))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Shape of the weight, for printing a model."""
        return f'weight={tuple(self.weight.shape)}, bias={self.bias is not None}, backend={self.backend}'


class SubmanifoldConv3d(_SparseConv3d):
    """Module of :func:`mmfusion_plugin.ops.sparse_conv.submanifold_conv3d`.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: Odd extents.
        dilation: Spacing of the taps in voxels.
        bias: Whether to add one.
        backend: 'auto', 'torch' or 'spconv'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTriple = 3,
        dilation: IntOrTriple = 1,
        bias: bool = False,
        backend: str = 'auto',
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias, backend)
        self.dilation = dilation

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve; the voxels stay."""
        return submanifold_conv3d(x, self.weight, self.bias, self.dilation, self.backend)


class StridedConv3d(_SparseConv3d):
    """Module of :func:`mmfusion_plugin.ops.sparse_conv.strided_conv3d`.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: Kernel extents.
        stride: Step between outputs in voxels.
        padding: Zeros around the volume.
        key: Name by which :class:`InverseConv3d` finds the way back.
        bias: Whether to add one.
        backend: 'auto', 'torch' or 'spconv'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTriple = 2,
        stride: IntOrTriple = 2,
        padding: IntOrTriple = 0,
        key: Optional[str] = None,
        bias: bool = False,
        backend: str = 'auto',
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias, backend)
        self.stride, self.padding, self.key = stride, padding, key

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve onto coarser voxels."""
        return strided_conv3d(x, self.weight, self.bias, self.stride, self.padding, key=self.key, backend=self.backend)


class InverseConv3d(_SparseConv3d):
    """Module of :func:`mmfusion_plugin.ops.sparse_conv.inverse_conv3d`.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        key: The strided convolution's key.
        kernel_size: The strided convolution's kernel.
        bias: Whether to add one.
        backend: 'auto', 'torch' or 'spconv'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        key: str,
        kernel_size: IntOrTriple = 2,
        bias: bool = False,
        backend: str = 'auto',
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias, backend)
        self.key = key

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve back onto the finer voxels."""
        return inverse_conv3d(x, self.weight, self.bias, key=self.key, backend=self.backend)


class SparseBasicBlock(nn.Module):
    """Residual block of two 3x3x3 submanifold convolutions whose shortcut is a linear map with its own norm.

    ``leaky(norm(conv(leaky(norm(conv(x))))) + norm(linear(x)))``, slope 0.1 (2DPASS's encoder, arXiv 2207.04397).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        norm_cfg: Normalisation over voxels.
        backend: Of the sparse convolutions.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: NormCfg = None, backend: str = 'auto') -> None:
        super().__init__()
        self.shortcut = nn.Linear(in_channels, out_channels, bias=False)
        self.shortcut_norm = build_norm(norm_cfg, out_channels)
        self.conv1 = SubmanifoldConv3d(in_channels, out_channels, backend=backend)
        self.norm1 = build_norm(norm_cfg, out_channels)
        self.conv2 = SubmanifoldConv3d(out_channels, out_channels, backend=backend)
        self.norm2 = build_norm(norm_cfg, out_channels)
        self.activation = nn.LeakyReLU(0.1, inplace=True)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """(V, C_in) features to (V, C_out) on the same voxels."""
        hidden = self.conv1(x)
        hidden = hidden.replace_features(self.activation(self.norm1(hidden.features)))
        main: Tensor = self.norm2(self.conv2(hidden).features)
        main += self.shortcut_norm(self.shortcut(x.features))
        return x.replace_features(self.activation(main))
