"""Attention over the channels of the points of each sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmfusion_plugin.ops.scatter import scatter_mean


class SqueezeGate(nn.Module):
    """Each channel times ``sigmoid(W mean + b)``, the mean being over all points of the sample.

    What SAFNet's published code has under the name of channel attention; the result depends on the whole sample.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, channels)

    def forward(self, features: Tensor, sample: Tensor, num_samples: int) -> Tensor:
        """(N, C) features, (N,) int64 sample of each point, number of samples; to (N, C)."""
        mean = scatter_mean(features, sample, num_samples).to(features.dtype)
        return features * self.gate(mean).sigmoid().index_select(0, sample)


class ChannelAffinity(nn.Module):
    """Channels that resemble each other support each other (DANet, Fu et al., CVPR 2019, section 3.3).

    What SAFNet's paper refers to. ``x + scale * x softmax(max - x^T x)^T`` over the points of each sample; the scale is
    learnt and starts from 0.

    Args:
        channels: Unused; there is one number to learn.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor, sample: Tensor, num_samples: int) -> Tensor:
        """(N, C) features, (N,) int64 sample of each point, in ascending order, number of samples; to (N, C)."""
        parts = features.split(torch.bincount(sample, minlength=num_samples).tolist())
        return torch.cat([part + self.scale * self._attend(part) for part in parts])

    @staticmethod
    def _attend(part: Tensor) -> Tensor:
        energy = part.t() @ part
        attention = (energy.amax(1, keepdim=True) - energy).softmax(1)
        return part @ attention.t()
