"""Parts of a 3-D denoising U-Net: residual block under a time embedding, attention, and changes of resolution."""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def time_features(t: Tensor, channels: int) -> Tensor:
    """Cosines and sines (B, channels) of steps (B,), with periods from 2 pi up to 2 pi 10000."""
    half = channels // 2
    angles = t[:, None].float() * torch.exp(torch.arange(half, device=t.device) * (-math.log(10000) / half))
    return F.pad(torch.cat([angles.cos(), angles.sin()], 1), (0, channels % 2))


def zeroed(module: nn.Module) -> nn.Module:
    """The module with all its parameters 0."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class TimedResBlock3D(nn.Module):
    """Two convolutions and a shortcut; scale and shift after the second norm come from the time embedding.

    The last convolution starts at zero: a fresh block is its shortcut.

    Args:
        in_channels: Of the input.
        channels: Of the output.
        time_channels: Of the time embedding.
        num_groups: Of the norms.
        dropout: Before the second convolution.
    """

    def __init__(
        self, in_channels: int, channels: int, time_channels: int, num_groups: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(num_groups, in_channels)
        self.conv1 = nn.Conv3d(in_channels, channels, 3, padding=1)
        self.time = nn.Linear(time_channels, 2 * channels)
        self.norm2 = nn.GroupNorm(num_groups, channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(nn.Conv3d(channels, channels, 3, padding=1))
        self.shortcut = nn.Identity() if in_channels == channels else nn.Conv3d(in_channels, channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, in_channels, X, Y, Z) and (B, time_channels) to (B, channels, X, Y, Z)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.time(F.silu(time))[:, :, None, None, None].chunk(2, 1)
        hidden = self.norm2(hidden) * (1 + scale) + shift
        return self.shortcut(x) + self.conv2(self.dropout(F.silu(hidden)))


class VoxelAttention(nn.Module):
    """Each voxel attends to all voxels and to the tokens of the condition, in one softmax; the result is added.

    Args:
        channels: C.
        num_heads: Divides C.
        token_channels: Width of the tokens; None where there are none.
        num_groups: Of the norm.
    """

    def __init__(
        self, channels: int, num_heads: int = 1, token_channels: Optional[int] = None, num_groups: int = 32
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.GroupNorm(num_groups, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.token_kv = nn.Linear(token_channels, 2 * channels) if token_channels else None
        self.out = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Tensor, tokens: Optional[Tensor] = None) -> Tensor:
        """(B, C, X, Y, Z) and (B, S, token_channels) to (B, C, X, Y, Z)."""
        query, key, value = self.qkv(self.norm(x).flatten(2).transpose(1, 2)).chunk(3, 2)
        if self.token_kv is not None:
            token_key, token_value = self.token_kv(tokens).chunk(2, 2)
            key, value = torch.cat([key, token_key], 1), torch.cat([value, token_value], 1)
        heads = [part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in (query, key, value)]
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        return x + self.out(mixed).transpose(1, 2).view_as(x)


class TimedStage3D(nn.Module):
    """A residual block and, where wanted, attention after it.

    Args:
        block: The residual block.
        attention: None: without.
    """

    def __init__(self, block: TimedResBlock3D, attention: Optional[VoxelAttention] = None) -> None:
        super().__init__()
        self.block, self.attention = block, attention

    def forward(self, x: Tensor, time: Tensor, tokens: Optional[Tensor]) -> Tensor:
        """As the blocks."""
        x = self.block(x, time)
        return x if self.attention is None else self.attention(x, tokens)


def halving(channels: int) -> nn.Conv3d:
    """Half the resolution by a convolution of stride 2."""
    return nn.Conv3d(channels, channels, 3, stride=2, padding=1)


def doubling(channels: int) -> nn.Sequential:
    """Twice the resolution: nearest voxel, then a convolution."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode='nearest'), nn.Conv3d(channels, channels, 3, padding=1))


def fold_cubes(x: Tensor, side: int) -> Tensor:
    """(B, C, X, Y, Z) to (B, C side^3, X / side, Y / side, Z / side): each cube of voxels becomes a cell's channels."""
    for axis in (2, 4, 6):
        x = x.unflatten(axis, (-1, side))
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def unfold_cubes(x: Tensor, side: int) -> Tensor:
    """The other way round."""
    x = x.unflatten(1, (-1, side, side, side)).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)
