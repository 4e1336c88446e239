"""Batches of clouds of unequal size, and the pairs of points between two of them a block at a time."""

from __future__ import annotations

from typing import Iterator, NamedTuple, Optional, Sequence, Union

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

# (B, N, D) or, for a single cloud, (N, D); or a list of (N_i, D).
Clouds = Union[Tensor, Sequence[Tensor]]
# Number of points of each cloud, where a tensor is padded.
Lengths = Optional[Union[Tensor, Sequence[int]]]


class CloudBatch(NamedTuple):
    """Clouds side by side, padded with zeros.

    Attributes:
        points: (B, N, D) floating, at least float32.
        lengths: (B,) int64, points of each cloud, 0 for an empty one.
    """

    points: Tensor
    lengths: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, N) bool, which rows are points."""
        return torch.arange(self.points.shape[1], device=self.points.device) < self.lengths[:, None]

    def with_a_row(self) -> CloudBatch:
        """The same with a row of padding where there is none at all, for what cannot do without."""
        return self if self.points.shape[1] else self._replace(points=functional.pad(self.points, (0, 0, 0, 1)))

    def mean(self, values: Tensor) -> Tensor:
        """Mean (B,) of ``values`` (B, N) over the points of each cloud; 0 without any."""
        return values.masked_fill(~self.mask, 0).sum(dim=1) / self.lengths.clamp(min=1)


def pair_clouds(
    source: Clouds, target: Clouds, source_lengths: Lengths = None, target_lengths: Lengths = None
) -> tuple[CloudBatch, CloudBatch]:
    """Two batches whose clouds belong together one by one.

    Args:
        source: (B, N, D), (N, D) for a batch of one, or B times (N_i, D); floating.
        target: (B, M, D), (M, D), or B times (M_i, D); same dtype and device.
        source_lengths: (B,) points of each source, if (B, N, D) is padded; what the padding holds is of no account.
        target_lengths: The same for the targets.

    Returns:
        Both as batches, half precision as float32; gradients flow back to the given tensors.

    Raises:
        TypeError: The clouds are not of one floating dtype.
        ValueError: They do not fit together, or a coordinate is NaN or infinite.
    """
    first, second = _batch('source', source, source_lengths), _batch('target', target, target_lengths)
    one, other = first.points, second.points
    if not one.is_floating_point() or one.dtype != other.dtype:
        raise TypeError(f'both clouds must have one floating dtype, got {one.dtype} and {other.dtype}')
    if one.device != other.device:
        raise ValueError(f'both clouds must be on one device, got {one.device} and {other.device}')
    if one.shape[::2] != other.shape[::2]:
        raise ValueError(f'need as many sources as targets of as many axes, got {_shape(one)} and {_shape(other)}')
    dtype = torch.promote_types(one.dtype, torch.float32)
    return tuple(batch._replace(points=batch.points.to(dtype)) for batch in (first, second))


def pair_blocks(batch: int, rows: int, columns: int, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the batch and of the rows which cut (batch, rows, columns) pairs into blocks of ``at_once`` at most.

    A block has one row at least, however many columns that is.
    """
    samples = max(1, at_once // max(1, rows * columns))
    height = max(1, at_once // max(1, columns)) if samples == 1 else rows
    for first in range(0, batch, samples):
        for row in range(0, rows, max(1, height)):
            yield slice(first, first + samples), slice(row, row + height)


def _batch(name: str, clouds: Clouds, lengths: Lengths) -> CloudBatch:
    """One side, checked, with its padding zeroed."""
    if isinstance(clouds, Tensor):
        points = clouds[None] if clouds.dim() == 2 else clouds
    else:
        points, lengths = _pad(name, clouds, lengths)
    if points.dim() != 3 or not points.shape[2]:
        raise ValueError(f'{name} must be (B, N, D), (N, D) or a list of (N_i, D), got {_shape(points)}')
    size = points.shape[1]
    counts = torch.as_tensor([size] * len(points) if lengths is None else lengths, dtype=torch.long).to(points.device)
    if lengths is not None:
        if counts.shape != (len(points),) or bool(((counts < 0) | (counts > size)).any()):
            raise ValueError(f'{name}_lengths must be {len(points)} numbers from 0 to {size}, got {counts.tolist()}')
        points = points.masked_fill(~CloudBatch(points, counts).mask[..., None], 0)
    if not bool(torch.isfinite(points.detach()).all()):
        raise ValueError(f'{name} holds NaN or infinite coordinates: drop those points first')
    return CloudBatch(points, counts)


def _pad(name: str, clouds: Sequence[Tensor], lengths: Lengths) -> tuple[Tensor, list[int]]:
    """A list of clouds as one tensor, and their sizes."""
    if lengths is not None:
        raise ValueError(f'{name}_lengths belong to a padded tensor, {name} is a list: leave them out')
    if not len(clouds) or any(cloud.dim() != 2 for cloud in clouds):
        raise ValueError(f'{name} must hold at least one cloud, each (N_i, D), got {[*map(_shape, clouds)]}')
    if len({(cloud.shape[1], cloud.dtype, cloud.device) for cloud in clouds}) > 1:
        raise ValueError(f'all clouds of {name} must have as many axes, one dtype and one device')
    return pad_sequence(list(clouds), batch_first=True), [len(cloud) for cloud in clouds]


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
