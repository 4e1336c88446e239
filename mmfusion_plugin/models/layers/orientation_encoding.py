"""The orientation-encoding convolution of PointSIFT (Jiang et al., arXiv 1807.00652, section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .norm import build_norm

_AXES = 3


class OrientationEncoding(nn.Module):
    """Joins the nearest points in the eight octants around a point, one axis after the other: 8 to 4 to 2 to 1.

    Each step is a convolution of kernel and stride 2 along the octants (with bias), batch normalisation and ReLU. A
    neighbour enters with ``[q - p, feature of q]``. At 192 features and 128 channels it has 116,608 parameters.

    Args:
        in_channels: Width of the points' features.
        channels: Width of the result.
        pointwise: One more linear map, normalisation and ReLU at the end. The original TensorFlow module has it, its
            two PyTorch ports disagree whether it is there, and SAFNet's own module is not published.
    """

    def __init__(self, in_channels: int, channels: int, pointwise: bool = False) -> None:
        super().__init__()
        widths = [in_channels + 3, channels, channels, channels]
        self.joins = nn.ModuleList(nn.Linear(2 * width, channels) for width in widths[:_AXES])
        self.norms = nn.ModuleList(build_norm(None, channels) for _ in range(_AXES))
        self.pointwise = (
            nn.Sequential(nn.Linear(channels, channels), build_norm(None, channels), nn.ReLU(inplace=True))
            if pointwise
            else nn.Identity()
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, points: Tensor, features: Tensor, octants: Tensor, centre: Tensor) -> Tensor:
        """Encode some points.

        Args:
            points: (N, 3) positions.
            features: (N, in_channels).
            octants: (n, 8) int64 neighbours of the points to encode (``octant_neighbours``).
            centre: (n, 3) their positions.

        Returns:
            (n, channels).
        """
        first, channels = self.joins[0], self.joins[0].out_features
        offset = (points[octants] - centre[:, None]).to(first.weight.dtype).view(-1, _AXES + 1, 2, 3)
        # The linear map of [offset, feature] is a sum of two; that of the features is made once per point, not 8 times.
        taps = first.weight.view(channels, 2, -1)
        x = F.linear(offset.flatten(2), taps[:, :, :3].flatten(1), first.bias)
        for tap in range(2):
            mapped = F.linear(features, taps[:, tap, 3:])
            x = x + mapped.index_select(0, octants[:, tap::2].flatten()).view(x.shape)
        x = self.norms[0](x.flatten(0, 1)).relu()
        for join, norm in zip(self.joins[1:], self.norms[1:]):
            x = norm(join(x.view(-1, 2 * channels))).relu()
        return self.pointwise(x)


def neighbour_features(offset: Tensor) -> Tensor:
    """What SAFNet's paper says of a neighbour: ``[x_j, x_i - x_j, |x_i - x_j|^2]``, x_i being the origin.

    Args:
        offset: (N, K, 3) neighbours relative to their point.

    Returns:
        (N, K * 7), neighbour after neighbour.
    """
    return torch.cat([offset, -offset, offset.square().sum(2, keepdim=True)], 2).flatten(1)
