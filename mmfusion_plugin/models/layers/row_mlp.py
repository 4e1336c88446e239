"""Multilayer perceptrons on rows: points, pixels or pairs of both."""

from __future__ import annotations

from typing import List, Sequence

from torch import nn

from .norm import build_norm


def row_mlp(in_channels: int, channels: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Linear (without bias), batch normalisation and ReLU for each of ``channels``: PointNet's shared MLP.

    Its linear maps start from Xavier's uniform distribution, as MVPNet's.

    Args:
        in_channels: Width of the rows.
        channels: Widths of the layers.
        dropout: Share dropped after each layer.
    """
    layers: List[nn.Module] = []
    for width in channels:
        linear = nn.Linear(in_channels, width, bias=False)
        nn.init.xavier_uniform_(linear.weight)
        layers += [linear, build_norm(None, width), nn.ReLU(inplace=True)]
        if dropout:
            layers.append(nn.Dropout(dropout))
        in_channels = width
    return nn.Sequential(*layers)
