"""PointNet's T-Net: a matrix for each cloud, by which its points are transformed (Qi et al., arXiv 1612.00593)."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from .cloud_rows import max_of_clouds
from .row_mlp import row_mlp


class TransformNet(nn.Module):
    """A small PointNet that ends in a square matrix and starts from the identity.

    Args:
        dims: D, width of what is transformed.
        channels: Widths of the layers on points; their maximum over the cloud goes on.
        hidden: Widths of the layers on clouds.
    """

    def __init__(
        self, dims: int, channels: Sequence[int] = (64, 128, 1024), hidden: Sequence[int] = (512, 256)
    ) -> None:
        super().__init__()
        self.dims = dims
        self.point_mlp = row_mlp(dims, channels)
        self.cloud_mlp = row_mlp(channels[-1], hidden)
        self.matrix = nn.Linear(hidden[-1], dims * dims)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(dims).flatten())

    def forward(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """(N, D) rows of B clouds of these sizes, one of which may be empty, to (B, D, D)."""
        clouds = max_of_clouds(self.point_mlp(rows), sizes)
        return self.matrix(self.cloud_mlp(clouds)).unflatten(1, (self.dims, self.dims))


def transform_rows(rows: Tensor, matrices: Tensor, sizes: Sequence[int]) -> Tensor:
    """Each row times the matrix of its cloud.

    Args:
        rows: (N, D) of B clouds after each other.
        matrices: (B, D, D).
        sizes: Rows of each cloud.

    Returns:
        (N, D).
    """
    return torch.cat([part @ matrix for part, matrix in zip(rows.split(list(sizes)), matrices)])


def orthogonality(matrices: Tensor) -> Tensor:
    """Squared Frobenius norm of ``I - A A^T`` (PointNet, equation 2), the mean over (B, D, D) matrices; a scalar."""
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return (identity - matrices @ matrices.transpose(1, 2)).square().sum((1, 2)).mean()
