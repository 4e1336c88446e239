"""What each scale of a fusion is made of: a gated unit, and heads of two layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def classifier(in_channels: int, hidden: int, num_classes: int) -> nn.Sequential:
    """Linear-ReLU-Linear, as each head of 2DPASS."""
    return nn.Sequential(nn.Linear(in_channels, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))


class GatedFusionUnit(nn.Module):
    """Fuse the features of points with those of the pixels that show them.

    ``relu(c * sigmoid(W2 c))`` with ``c = W1 [image, relu(W0 point)]``, as in 2DPASS's code. The equation in its paper
    adds the image feature; the code does not.

    Args:
        channels: C of points and pixels.
        image_skip: Add the image feature to the result (the paper).
    """

    def __init__(self, channels: int, image_skip: bool = False) -> None:
        super().__init__()
        self.learner = nn.Linear(channels, channels)
        self.join = nn.Linear(2 * channels, channels)
        self.gate = nn.Linear(channels, channels)
        self.image_skip = image_skip

    def forward(self, points: Tensor, image: Tensor) -> Tensor:
        """(M, C) features of points and (M, C) of their pixels to (M, C)."""
        joined = self.join(torch.cat([image, self.learner(points).relu()], 1))
        fused = (joined * self.gate(joined).sigmoid()).relu()
        return fused + image if self.image_skip else fused
