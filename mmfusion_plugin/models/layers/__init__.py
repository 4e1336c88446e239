"""Building blocks shared by the models."""

from .norm import RowBatchNorm1d
from .sparse_modules import InverseConv3d, SparseBasicBlock, StridedConv3d, SubmanifoldConv3d

__all__ = [InverseConv3d, RowBatchNorm1d, SparseBasicBlock, StridedConv3d, SubmanifoldConv3d]
