"""How an embedding reaches a denoiser, and the learned token in place of one that is left out."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
from torch import Tensor, nn


class EmbeddingCondition(nn.Module):
    """An embedding becomes a shift of the time embedding, and tokens for the attention blocks.

    Args:
        embed_dim: D.
        time_channels: Width of the time embedding.
        num_tokens: S.
        token_channels: Width of a token.
    """

    def __init__(self, embed_dim: int, time_channels: int, num_tokens: int, token_channels: int) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.to_time = nn.Linear(embed_dim, time_channels)
        self.to_tokens = nn.Linear(embed_dim, num_tokens * token_channels)
        self.null = nn.Parameter(torch.randn(embed_dim) * 0.02)

    def forward(self, embedding: Optional[Tensor], drop: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Shift (B, time_channels) and tokens (B, S, token_channels).

        Args:
            embedding: (B, D), as it is: not normalised.
            drop: (B,) bool, samples whose embedding is replaced by the null token; None: none of them. The token
                takes part in either case, so that it always has a gradient.

        Raises:
            ValueError: The embedding is missing, or has another shape.
        """
        width = len(self.null)
        if embedding is None or embedding.dim() != 2 or embedding.shape[1] != width:
            found = 'none' if embedding is None else tuple(embedding.shape)
            raise ValueError(f'the denoiser needs an embedding (B, {width}), got {found}: set its embed_dim to the '
                             'width of what it is conditioned on')
        if drop is None:
            drop = torch.zeros(len(embedding), dtype=torch.bool, device=embedding.device)
        kept = torch.where(drop[:, None], self.null.to(embedding.dtype), embedding)
        return self.to_time(kept), self.to_tokens(kept).unflatten(1, (self.num_tokens, -1))
