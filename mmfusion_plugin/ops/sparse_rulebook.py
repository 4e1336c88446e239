"""Who meets whom in a sparse convolution: the rulebook, found by sorted keys.

A rulebook lists, for each kernel offset, the pairs (input voxel, output voxel) which that offset connects. Coordinates
are sorted, so their linear keys are sorted too, and a neighbour is found by bisection: no hash table, no dense grid,
the same code on both devices, and the same order every time.

Rulebooks depend on coordinates alone. They are built once, kept in ``SparseTensor.cache`` and used by every layer that
names the same key, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Tuple

import torch
from torch import Tensor

Triple = Tuple[int, int, int]


class PairOrder(NamedTuple):
    """Pairs grouped by one of their ends, in compressed rows: row ``i`` owns ``order[start[i]:start[i + 1]]``."""

    order: Tensor
    start: Tensor


@dataclass(frozen=True)
class Rulebook:
    """Pairs of one sparse convolution, blocked by kernel offset.

    Attributes:
        kernel_size: Kernel extent along x, y, z; offsets are numbered with z fastest.
        offsets: Kernel offset of each block, ascending. A submanifold kernel's centre is no block: it connects every
            voxel to itself.
        counts: Number of pairs in each block.
        source: (P,) int64 input voxel of each pair; within a block no voxel occurs twice.
        target: (P,) int64 output voxel of each pair; within a block no voxel occurs twice.
        num_source: Number of input voxels.
        num_target: Number of output voxels.
        centre: Offset that connects every voxel to itself, -1 where there is none (strided convolution).
    """

    kernel_size: Triple
    offsets: Tuple[int, ...]
    counts: Tuple[int, ...]
    source: Tensor
    target: Tensor
    num_source: int
    num_target: int
    centre: int = -1

    @cached_property
    def by_target(self) -> PairOrder:
        """Pairs grouped by output voxel."""
        return _group(self.target, self.num_target)

    @cached_property
    def by_source(self) -> PairOrder:
        """Pairs grouped by input voxel."""
        if self.centre < 0:
            return _group(self.source, self.num_source)
        # Block i of a submanifold kernel is the last-but-i with its ends exchanged: no second sort.
        pairs = torch.arange(self.source.shape[0], device=self.source.device)
        mirror = torch.cat([pairs[:0], *reversed(pairs.split(self.counts))]) if self.counts else pairs
        return PairOrder(mirror[self.by_target.order], self.by_target.start)

    @cached_property
    def transposed(self) -> Rulebook:
        """The same pairs with input and output exchanged (the rulebook of the inverse convolution)."""
        return Rulebook(
            self.kernel_size, self.offsets, self.counts, self.target, self.source, self.num_target, self.num_source
        )

    @cached_property
    def native_pairs(self) -> Tuple[Tensor, Tensor]:
        """(2, K, num_source) int32 pairs, -1 where unused, and (K,) int32 counts: what spconv's native kernels read."""
        volume = self.kernel_size[0] * self.kernel_size[1] * self.kernel_size[2]
        width = max(self.num_source, self.num_target)
        pairs = self.source.new_full((2, volume, width), -1, dtype=torch.int32)
        counts = torch.zeros(volume, dtype=torch.int32)
        begin = 0
        for offset, count in zip(self.offsets, self.counts):
            pairs[0, offset, :count] = self.source[begin : begin + count]
            pairs[1, offset, :count] = self.target[begin : begin + count]
            counts[offset] = count
            begin += count
        if self.centre >= 0:
            counts[self.centre] = self.num_source
            pairs[:, self.centre, : self.num_source] = torch.arange(self.num_source, device=pairs.device)
        return pairs, counts.to(pairs.device)


def linear_keys(coordinates: Tensor, shape: Triple, shift: Triple = (0, 0, 0)) -> Tensor:
    """Number voxels in lexicographic order of (batch, x, y, z).

    Args:
        coordinates: (V, 4) int64, columns batch, x, y, z.
        shape: Extent of the numbered grid along x, y, z; ``coordinates + shift`` must lie inside.
        shift: Added to x, y, z first.

    Returns:
        (V,) int64 keys; ascending when the coordinates are sorted.
    """
    batch, x, y, z = coordinates.unbind(1)
    return ((batch * shape[0] + x + shift[0]) * shape[1] + y + shift[1]) * shape[2] + z + shift[2]


def build_submanifold(coordinates: Tensor, spatial_shape: Triple, kernel_size: Triple, dilation: Triple) -> Rulebook:
    """Rulebook of a submanifold convolution: outputs exist where inputs exist.

    The grid is padded by the kernel's reach before voxels are numbered, so a neighbour beyond a face of the volume has
    a key of its own and is never mistaken for a voxel of the next row or of the next sample. Half of the offsets is
    searched; the other half is its mirror image.

    Args:
        coordinates: (V, 4) int64 sorted unique [batch, x, y, z].
        spatial_shape: Extent of the volume in voxels.
        kernel_size: Odd extents.
        dilation: Spacing of the kernel's taps in voxels.

    Returns:
        Pairs (neighbour, voxel) for each offset but the centre.
    """
    num = coordinates.shape[0]
    reach = tuple((k // 2) * d for k, d in zip(kernel_size, dilation))
    padded = tuple(n + 2 * r for n, r in zip(spatial_shape, reach))
    keys = linear_keys(coordinates, padded, reach)
    centre = (kernel_size[0] * kernel_size[1] * kernel_size[2]) // 2
    if num == 0 or centre == 0:
        empty = keys.new_empty(0)
        return Rulebook(kernel_size, (), (), empty, empty, num, num, centre)

    positions, found = _search_first_half(keys, padded, kernel_size, dilation, centre)
    counts = found.sum(1).tolist()
    neighbour = positions[found]
    voxel = torch.arange(num, device=keys.device).expand(centre, num)[found]
    forth, back = neighbour.split(counts), voxel.split(counts)
    return Rulebook(
        kernel_size,
        tuple(range(centre)) + tuple(range(centre + 1, 2 * centre + 1)),
        tuple(counts) + tuple(reversed(counts)),
        torch.cat([*forth, *reversed(back)]),
        torch.cat([*back, *reversed(forth)]),
        num,
        num,
        centre,
    )


def _search_first_half(
    keys: Tensor, padded: Triple, kernel_size: Triple, dilation: Triple, centre: int
) -> Tuple[Tensor, Tensor]:
    """Position and presence, (centre, V) each, of the neighbours at the offsets before the centre.

    Along z the keys of adjacent taps differ by one: the lower bound of the next tap is that of this one plus whether
    this one was found, so one bisection serves a whole column of taps.
    """
    num = keys.shape[0]
    ended = torch.cat([keys, keys.new_full((1,), torch.iinfo(torch.int64).max)])
    positions = keys.new_empty((centre, num))
    found = torch.empty((centre, num), dtype=torch.bool, device=keys.device)
    step = (padded[1] * padded[2] * dilation[0], padded[2] * dilation[1], dilation[2])
    half = tuple(k // 2 for k in kernel_size)
    lower = keys
    for offset in range(centre):
        rest, iz = divmod(offset, kernel_size[2])
        ix, iy = divmod(rest, kernel_size[1])
        wanted = keys + ((ix - half[0]) * step[0] + (iy - half[1]) * step[1] + (iz - half[2]) * step[2])
        if iz == 0 or dilation[2] != 1:
            lower = torch.searchsorted(keys, wanted)
        else:
            lower = lower + found[offset - 1]
        positions[offset] = lower
        torch.eq(ended[lower], wanted, out=found[offset])
    return positions, found


def build_strided(
    coordinates: Tensor,
    spatial_shape: Triple,
    batch_size: int,
    kernel_size: Triple,
    stride: Triple,
    padding: Triple,
    dilation: Triple,
) -> Tuple[Rulebook, Tensor, Triple]:
    """Rulebook of a strided convolution: an output exists wherever at least one input reaches it.

    Args:
        coordinates: (V, 4) int64 sorted unique [batch, x, y, z].
        spatial_shape: Extent of the volume in voxels.
        batch_size: Number of samples.
        kernel_size: Kernel extents.
        stride: Step between outputs in input voxels.
        padding: Zeros in front of each axis, and behind it.
        dilation: Spacing of the kernel's taps in voxels.

    Returns:
        The rulebook, the (V', 4) sorted output coordinates and the output's spatial shape.
    """
    out_shape = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(spatial_shape, kernel_size, stride, padding, dilation)
    )
    if min(out_shape) < 1:
        raise ValueError(
            f'a {kernel_size} kernel (stride {stride}, padding {padding}, dilation {dilation}) does not fit into the '
            f'spatial shape {spatial_shape}: the output shape would be {out_shape}'
        )
    device = coordinates.device
    taps = torch.cartesian_prod(*(torch.arange(k, device=device) * d for k, d in zip(kernel_size, dilation)))
    steps = torch.tensor(stride, device=device)
    reached = coordinates[None, :, 1:] + torch.tensor(padding, device=device) - taps.reshape(-1, 1, 3)
    out = torch.div(reached, steps, rounding_mode='floor')
    inside = (reached == out * steps) & (out >= 0) & (out < torch.tensor(out_shape, device=device))
    offset, source = inside.all(2).nonzero(as_tuple=True)
    wanted = torch.cat([coordinates[source, :1], out[offset, source]], 1)
    keys, target = torch.unique(linear_keys(wanted, out_shape), return_inverse=True)
    counts = torch.bincount(offset, minlength=taps.shape[0]).tolist()
    used = tuple(i for i, count in enumerate(counts) if count)
    rulebook = Rulebook(
        kernel_size, used, tuple(counts[i] for i in used), source, target, coordinates.shape[0], keys.shape[0]
    )
    return rulebook, _from_keys(keys, out_shape), out_shape


def _from_keys(keys: Tensor, shape: Triple) -> Tensor:
    """(V, 4) coordinates of linear keys."""
    columns = []
    for extent in reversed(shape):
        columns.append(keys % extent)
        keys = torch.div(keys, extent, rounding_mode='floor')
    return torch.stack([keys, *reversed(columns)], 1)


def _group(index: Tensor, size: int) -> PairOrder:
    """Stable grouping of pairs by a voxel index."""
    start = index.new_zeros(size + 1)
    torch.cumsum(torch.bincount(index, minlength=size), 0, out=start[1:])
    return PairOrder(torch.sort(index.to(torch.int32), stable=True).indices, start)
