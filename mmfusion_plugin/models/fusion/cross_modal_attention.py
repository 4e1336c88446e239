"""Cross-attention between the cells of an image and the points of a cloud.

SIM-Net's paper compares such variants with concatenation and does not print their structure: this one is ours.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

DIRECTIONS = ('image-to-point', 'point-to-image', 'both')


@MODELS.register_module()
class CrossModalAttention(BaseModule):
    """Tokens of image and cloud, projected to one width, look at each other; each side is pooled, both are joined.

    The side that looks gets ``LayerNorm(x + Attention(x, y, y))`` from one layer of multi-head attention; the other
    side is pooled as it was projected, so that the result is equally wide for each direction. An empty cloud counts as
    one token of zeros.

    Args:
        image_channels: Width of the image's cells.
        point_channels: Width of the cloud's tokens.
        channels: Width of both after projection.
        num_heads: Of the attention.
        direction: ``'image-to-point'``: the image's cells are the queries and look at the points;
            ``'point-to-image'``: the points look at the cells; ``'both'``: each at the other, as it was projected.
        pool: ``'mean'`` or ``'max'`` over the tokens of each side.
        dropout: Share of the attention's weights that is dropped.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the result, twice ``channels``.
    """

    def __init__(
        self,
        image_channels: int = 2048,
        point_channels: int = 1024,
        channels: int = 512,
        num_heads: int = 8,
        direction: str = 'both',
        pool: str = 'mean',
        dropout: float = 0.0,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        if direction not in DIRECTIONS:
            raise ValueError(f'direction must be one of {DIRECTIONS}, got {direction!r}')
        if pool not in ('mean', 'max'):
            raise ValueError(f"pool must be 'mean' or 'max', got {pool!r}")
        self.pool, self.out_channels = pool, 2 * channels
        self.image_proj = nn.Linear(image_channels, channels)
        self.point_proj = nn.Linear(point_channels, channels)
        looks = [direction in (name, 'both') for name in DIRECTIONS[:2]]
        self.image_looks, self.points_look = (_Look(channels, num_heads, dropout) if look else None for look in looks)

    def forward(self, image_map: Tensor, clouds: Sequence[Tensor]) -> Tensor:
        """Joint feature of image and cloud.

        Args:
            image_map: (B, image_channels, h, w), the last map of an image network.
            clouds: (N_i, point_channels) tokens of each cloud.

        Returns:
            (B, 2 * channels): the image's, then the cloud's.
        """
        image = self.image_proj(image_map.flatten(2).transpose(1, 2))
        padded, absent = _pad(clouds)
        points = self.point_proj(padded)
        seen_image = image if self.image_looks is None else self.image_looks(image, points, absent)
        seen_points = points if self.points_look is None else self.points_look(points, image)
        return torch.cat([self._pooled(seen_image), self._pooled(seen_points, absent)], 1)

    def _pooled(self, tokens: Tensor, absent: Optional[Tensor] = None) -> Tensor:
        """(B, N, C) tokens, without those that are ``absent`` (B, N), to (B, C)."""
        if absent is None:
            return tokens.mean(1) if self.pool == 'mean' else tokens.amax(1)
        if self.pool == 'max':
            return tokens.masked_fill(absent[..., None], -torch.inf).amax(1)
        return tokens.masked_fill(absent[..., None], 0).sum(1) / (~absent).sum(1, keepdim=True)


class _Look(nn.Module):
    """One layer of cross-attention with its residual connection and layer normalisation."""

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, num_heads, dropout, batch_first=True)
        self.norm = nn.LayerNorm(channels)

    def forward(self, query: Tensor, key: Tensor, absent: Optional[Tensor] = None) -> Tensor:
        """(B, M, C) queries and (B, N, C) keys, some ``absent`` (B, N), to (B, M, C)."""
        seen = self.attention(query, key, key, key_padding_mask=absent, need_weights=False)[0]
        return self.norm(query + seen)


def _pad(clouds: Sequence[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
    """(B, N, C) with zeros after each cloud, and where they are (B, N); None where all clouds are equally large."""
    sizes = torch.tensor([max(len(cloud), 1) for cloud in clouds])
    longest = int(sizes.max())
    # An empty cloud becomes a row of zeros that stays in the graph.
    padded = pad_sequence([cloud if len(cloud) else cloud.sum(0, keepdim=True) for cloud in clouds], batch_first=True)
    absent = torch.arange(longest) >= sizes[:, None]
    return padded, absent.to(padded.device) if absent.any() else None
