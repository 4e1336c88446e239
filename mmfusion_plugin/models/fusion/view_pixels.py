"""What a batch knows of its pixels: where they lie in space, and which images they are in."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor

from .neighbourhoods import Neighbourhoods

# Stands in for the images of a batch without views; no value of it is ever read.
_NO_IMAGES = (0, 3, 16, 16)


def pixel_neighbourhoods(batch_inputs: Dict[str, Any], num_own: int, num_theirs: int) -> Neighbourhoods:
    """Points of a batch and the unprojected pixels around them.

    Args:
        batch_inputs: ``points``: list of (N_i, 3 + C). ``pixel_xyz``: list of (M_i, 3), the pixels with valid depth of
            all views of the sample, metres, in the frame of the points as they are now; without it there are no pixels.
            ``pixel_neighbours``: list of (N_i, at least ``num_theirs``) int64 rows of ``pixel_xyz``, and
            ``point_neighbours``: list of (N_i, at least ``num_own``) rows of ``points``, both nearest first and -1
            where there are fewer; searched where they are missing.
        num_own: Neighbours among the points.
        num_theirs: Neighbours among the pixels.
    """
    points = [cloud[:, :3].contiguous() for cloud in batch_inputs['points']]
    pixels = batch_inputs.get('pixel_xyz') or [cloud.new_zeros((0, 3)) for cloud in points]
    own, theirs = (batch_inputs.get(key) for key in ('point_neighbours', 'pixel_neighbours'))
    return Neighbourhoods.of_batch(points, list(pixels), num_own, num_theirs, own, theirs)


def images_of(batch_inputs: Dict[str, Any]) -> Tensor:
    """(B * V, 3, H, W) images of the batch; V may be 0, and ``imgs`` may be missing."""
    images = batch_inputs.get('imgs')
    return batch_inputs['points'][0].new_zeros(_NO_IMAGES) if images is None else images.flatten(0, 1)


def rows_of_pixels(maps: Tuple[Tensor, ...], batch_inputs: Dict[str, Any]) -> List[Tensor]:
    """Values of image maps at the unprojected pixels.

    Args:
        maps: (B * V, C, H, W) each.
        batch_inputs: ``pixel_index``: list of (M_i,) int64 ``(view * H + row) * W + column``, one per row of
            ``pixel_xyz``; without it there are no pixels.

    Returns:
        (M, C) of each map, samples after each other.

    Raises:
        ValueError: An index lies outside the images of its sample.
    """
    index = batch_inputs.get('pixel_index') or []
    joined = torch.zeros(0, dtype=torch.long, device=maps[0].device)
    if len(index):
        per_sample = maps[0].shape[0] * maps[0].shape[2] * maps[0].shape[3] // len(index)
        largest = max((int(rows.max()) for rows in index if len(rows)), default=-1)
        if largest >= per_sample or any(len(rows) and int(rows.min()) < 0 for rows in index):
            raise ValueError(
                f'pixel_index reaches to {largest}, but the images of a sample have pixels 0 to {per_sample - 1}: '
                'is it that of the images as they are now (resized, views selected)?'
            )
        joined = torch.cat([rows + sample * per_sample for sample, rows in enumerate(index)])
    return [image_map.movedim(1, -1).flatten(0, -2).index_select(0, joined) for image_map in maps]
