"""Chamfer distance: how far the points of two clouds are from the nearest point of the other cloud.

``backend`` names who searches: ``'scipy'`` (k-d tree, CPU), ``'torch'`` (all pairs, a block at a time, either device)
or ``'auto'`` (the tree on a CPU, else torch). They differ where two points are equally near to rounding.
"""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from .clouds import CloudBatch, Clouds, Lengths, pair_blocks, pair_clouds

# Pairs of points compared at once by torch: 64 MB of float32, enough to occupy a GPU.
_PAIRS_AT_ONCE = 1 << 24


def chamfer_distance(
    source: Clouds,
    target: Clouds,
    source_lengths: Lengths = None,
    target_lengths: Lengths = None,
    squared: bool = True,
    backend: str = 'auto',
) -> tuple[Tensor, Tensor]:
    """Mean distance to the nearest point, both ways; their sum is what is commonly called the Chamfer distance.

    3D-ReConstNet trains on squared distances and evaluates those that are not (``loss.py``, ``metrics_utils.py``), each
    time the sum of both ways, not halved.

    Args:
        source: (B, N, D) floating, metres or any other unit; (N, D); or B clouds (N_i, D).
        target: (B, M, D), (M, D) or B clouds (M_i, D); same dtype and device.
        source_lengths: (B,) points of each source where (B, N, D) is padded.
        target_lengths: The same for the targets.
        squared: Average d^2 rather than d.
        backend: Who searches, see the module.

    Returns:
        From source to target and from target to source, both (B,), B = 1 for single clouds; in the unit of the points
        (squared); float32 for half precision. Differentiable: each point and its nearest one are pulled together, with
        gradient 0 where they coincide. An empty cloud is 0 away from any other, and another one infinitely far from it.

    Raises:
        TypeError: The clouds are not of one floating dtype.
        ValueError: They do not fit together, a coordinate is NaN or infinite, or the backend is wrong or not for their
            device.
    """
    first, second = pair_clouds(source, target, source_lengths, target_lengths)
    forward, backward = _one_way(first, second, squared, backend), _one_way(second, first, squared, backend)
    return first.mean(forward), second.mean(backward)


def nearest_distances(
    source: Clouds,
    target: Clouds,
    source_lengths: Lengths = None,
    target_lengths: Lengths = None,
    squared: bool = False,
    backend: str = 'auto',
) -> tuple[Tensor, Tensor]:
    """What :func:`chamfer_distance` averages: the distance of each point to the nearest of the other cloud.

    Args:
        source, target, source_lengths, target_lengths, squared, backend: As there.

    Returns:
        (B, N) of the sources and (B, M) of the targets, 0 where a row is padding and infinite where the other cloud is
        empty.

    Raises:
        TypeError, ValueError: As there.
    """
    first, second = pair_clouds(source, target, source_lengths, target_lengths)
    return _one_way(first, second, squared, backend), _one_way(second, first, squared, backend)


def _one_way(query: CloudBatch, reference: CloudBatch, squared: bool, backend: str) -> Tensor:
    """Distances (B, N) of ``query`` to ``reference``, differentiable through the pairs found."""
    reference = reference.with_a_row()
    index = _nearest_index(query, reference, backend)[..., None].expand_as(query.points)
    offset = query.points - reference.points.gather(1, index)
    # The norm's derivative at 0 is 0 in torch.
    distance = offset.square().sum(dim=2) if squared else torch.linalg.vector_norm(offset, dim=2)
    return distance.masked_fill(reference.lengths[:, None] == 0, torch.inf).masked_fill(~query.mask, 0)


@torch.no_grad()
def _nearest_index(query: CloudBatch, reference: CloudBatch, backend: str) -> Tensor:
    """Row (B, N) of the nearest reference; 0 for padding, and where there is none."""
    if backend not in ('auto', 'scipy', 'torch'):
        raise ValueError(f"backend must be 'auto', 'scipy' or 'torch', got {backend!r}")
    points, others = query.points, reference.points
    if backend == 'scipy' and points.device.type != 'cpu':
        raise ValueError(f"backend 'scipy' searches on a CPU, the clouds are on {points.device}: take 'torch'")
    index = torch.zeros(points.shape[:2], dtype=torch.long, device=points.device)
    if backend == 'scipy' or (backend == 'auto' and points.device.type == 'cpu'):
        for row, (rows, columns) in enumerate(zip(query.lengths.tolist(), reference.lengths.tolist())):
            if rows and columns:
                tree = cKDTree(others[row, :columns].double().numpy(), balanced_tree=False)  # built faster
                found = tree.query(points[row, :rows].double().numpy(), workers=torch.get_num_threads())[1]
                index[row, :rows] = torch.from_numpy(found)
        return index
    padding = ~reference.mask
    for sample, rows in pair_blocks(*points.shape[:2], others.shape[1], _PAIRS_AT_ONCE):
        # By differences: |a|^2 - 2ab + |b|^2 cancels where points are near, which is where it matters.
        distance = torch.cdist(points[sample, rows], others[sample], compute_mode='donot_use_mm_for_euclid_dist')
        index[sample, rows] = distance.masked_fill_(padding[sample, None], torch.inf).argmin(dim=2)
    return index
