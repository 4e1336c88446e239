"""The denoiser of IC3D (Sbrolli et al., arXiv 2211.10865): a 3-D U-Net, its time embedding and its condition."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .embedding_condition import EmbeddingCondition
from .unet3d_blocks import (
    TimedResBlock3D,
    TimedStage3D,
    VoxelAttention,
    doubling,
    fold_cubes,
    halving,
    time_features,
    unfold_cubes,
    zeroed,
)


class _Level(NamedTuple):
    """A resolution: how wide it is, and whether there is attention."""

    width: int
    attend: bool


_Stage = Callable[[int, int, bool], TimedStage3D]


@MODELS.register_module()
class UNet3D(BaseModule):
    """Noise in voxels, given the step and an embedding.

    Sizes are those of the released code (``models/ic3d.py``, after GLIDE). It has 80,561,793 parameters without a
    condition and 83,160,833 with CISP's embedding of 256; 82,864,513 of these are not the embedding's own layers, the
    "about 82.9 million" of the released code. That code also has eight tokens of a second image network, which neither
    the paper's text nor its figure show: left out. A fresh network returns zeros.

    Args:
        in_channels: Of the voxels.
        model_channels: Width of the finest level; a multiple of ``num_groups``.
        channel_mult: Widths of the levels, in ``model_channels``; each level halves the resolution.
        num_res_blocks: Per level; one more on the way up.
        attention_at: Reductions of the resolution at which there is attention, besides the coarsest level's middle.
        num_heads: Of the attention.
        num_groups: Of the group norms.
        dropout: In the residual blocks.
        time_channels: Width of the time embedding; 4 ``model_channels`` if None.
        embed_dim: D of the embedding that it is conditioned on; None: on nothing.
        num_tokens: Tokens that an embedding becomes.
        token_channels: Their width.
        patch_size: P, ours: cubes of P^3 voxels become P^3 channels of one cell, which the network sees at 1 / P of the
            resolution; what it returns is unfolded again. Nothing is averaged, and a level costs P^3 times less.
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: The widths cannot be divided into groups or heads.
    """

    def __init__(
        self,
        in_channels: int = 1,
        model_channels: int = 32,
        channel_mult: Sequence[int] = (1, 2, 4, 8),
        num_res_blocks: int = 5,
        attention_at: Sequence[int] = (4, 8),
        num_heads: int = 1,
        num_groups: int = 32,
        dropout: float = 0.0,
        time_channels: Optional[int] = None,
        embed_dim: Optional[int] = None,
        num_tokens: int = 4,
        token_channels: int = 256,
        patch_size: int = 1,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        if model_channels % num_groups or model_channels % num_heads:
            raise ValueError(f'model_channels={model_channels} must be a multiple of num_groups={num_groups} and of '
                             f'num_heads={num_heads}')
        self.in_channels, self.model_channels, self.embed_dim = in_channels, model_channels, embed_dim
        levels = [_Level(model_channels * factor, 1 << n in attention_at) for n, factor in enumerate(channel_mult)]
        self.patch_size, folded = patch_size, in_channels * patch_size**3
        self.stride = patch_size << (len(levels) - 1)
        time = time_channels or 4 * model_channels
        self.time = nn.Sequential(nn.Linear(model_channels, time), nn.SiLU(), nn.Linear(time, time))
        self.condition = EmbeddingCondition(embed_dim, time, num_tokens, token_channels) if embed_dim else None
        of_tokens = token_channels if embed_dim else None

        def stage(before: int, after: int, attend: bool) -> TimedStage3D:
            """One residual block, with attention where asked for."""
            block = TimedResBlock3D(before, after, time, num_groups, dropout)
            return TimedStage3D(block, VoxelAttention(after, num_heads, of_tokens, num_groups) if attend else None)

        self.stem = nn.Conv3d(folded, levels[0].width, 3, padding=1)
        self.downs, self.halvings, skips = _down(levels, num_res_blocks, stage)
        now = skips[-1]
        self.middle = nn.ModuleList([stage(now, now, True), stage(now, now, False)])
        self.ups, self.doublings = _up(levels, num_res_blocks + 1, stage, skips)
        self.out = nn.Sequential(nn.GroupNorm(num_groups, levels[0].width), nn.SiLU(),
                                 zeroed(nn.Conv3d(levels[0].width, folded, 3, padding=1)))  # fmt: skip

    def forward(
        self, x: Tensor, t: Tensor, embedding: Optional[Tensor] = None, drop: Optional[Tensor] = None
    ) -> Tensor:
        """Predict the noise.

        Args:
            x: (B, in_channels, X, Y, Z) noisy voxels; sides are multiples of ``stride``.
            t: (B,) steps.
            embedding: (B, D); without a condition not looked at.
            drop: (B,) bool, where the null token stands in for the embedding.

        Returns:
            As ``x``.

        Raises:
            ValueError: Voxels or embedding have another shape.
        """
        if x.dim() != 5 or x.shape[1] != self.in_channels or any(side % self.stride for side in x.shape[2:]):
            raise ValueError(f'need voxels (B, {self.in_channels}, X, Y, Z) with sides that {self.stride} divides, '
                             f'got {tuple(x.shape)}')
        time, tokens = self.time(time_features(t, self.model_channels).to(x.dtype)), None
        if self.condition is not None:
            shift, tokens = self.condition(embedding, drop)
            time = time + shift
        x = self.stem(fold_cubes(x, self.patch_size))
        skips = [x]
        for level, stages in enumerate(self.downs):
            if level:
                x = self.halvings[level - 1](x)
                skips.append(x)
            for stage in stages:
                x = stage(x, time, tokens)
                skips.append(x)
        for stage in self.middle:
            x = stage(x, time, tokens)
        for level, stages in enumerate(self.ups):
            for stage in stages:
                x = stage(torch.cat([x, skips.pop()], 1), time, tokens)
            if level < len(self.doublings):
                x = self.doublings[level](x)
        return unfold_cubes(self.out(x), self.patch_size)


def _down(levels: Sequence[_Level], count: int, stage: _Stage) -> Tuple[nn.ModuleList, nn.ModuleList, List[int]]:
    """``count`` stages of each level, what halves in between, and the widths of all that is kept for the way up."""
    downs, halvings, now = nn.ModuleList(), nn.ModuleList(), levels[0].width
    skips = [now]
    for number, level in enumerate(levels):
        if number:
            halvings.append(halving(now))
            skips.append(now)
        downs.append(nn.ModuleList())
        for _ in range(count):
            downs[-1].append(stage(now, level.width, level.attend))
            now = level.width
            skips.append(now)
    return downs, halvings, skips


def _up(
    levels: Sequence[_Level], count: int, stage: _Stage, skips: Sequence[int]
) -> Tuple[nn.ModuleList, nn.ModuleList]:
    """``count`` stages of each level, the coarsest first, each with one more of what was kept; what doubles between."""
    ups, doublings, left, now = nn.ModuleList(), nn.ModuleList(), list(skips), skips[-1]
    for number, level in reversed([*enumerate(levels)]):
        ups.append(nn.ModuleList())
        for _ in range(count):
            ups[-1].append(stage(now + left.pop(), level.width, level.attend))
            now = level.width
        if number:
            doublings.append(doubling(now))
    return ups, doublings
