"""Panels of pictures of objects and of voxelised shapes, for ``shape_tiles``."""

from __future__ import annotations

from typing import List

import numpy as np

from mmfusion_plugin.datasets.object_images import ObjectImage
from mmfusion_plugin.visualization.shape_tiles import Tile

from .object_inferencer import drawable


def picture_tile(title: str, found: ObjectImage) -> Tile:
    """A picture with the outline of its object."""
    return Tile(title, image=drawable(found), mask=found.mask)


def numbered_tiles(word: str, shapes: np.ndarray) -> List[Tile]:
    """Shapes ``(K, R, R, R)`` bool, each with its number behind ``word``, and how many voxels it has."""
    return [Tile(f'{word} {number}\n{int(shape.sum()):,} voxels', voxels=shape) for number, shape in enumerate(shapes)]
