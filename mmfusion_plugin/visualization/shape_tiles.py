"""Pictures and voxelised shapes side by side: a query and what it found, an image and samples, a path of shapes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional, Sequence

import numpy as np

from .outlines import draw_outlined
from .style import INK, SOFT, PathLike, new_figure, save_figure
from .turntable import ELEVATION, Stage, View, prepare_panel, stage_of
from .voxel_views import draw_voxels

_SIDE, _GAP, _HEAD, _TOP = 2.1, 0.1, 0.42, 0.5  # inches: of panels, between them, above each, above all
_NAME = 31  # characters of a line that fit over a panel
VIEW: View = (45.0, ELEVATION)
"""Half from the front."""


class Tile(NamedTuple):
    """A panel: an image, or a shape, or neither.

    Attributes:
        title: Above it, one line or two.
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` of the image's object, whose outline is drawn.
        voxels: ``(R, R, R)`` bool, y up and x forward; drawn in the cube from -0.5 to 0.5.
        note: What is written where there is nothing to draw.
    """

    title: str
    image: Optional[np.ndarray] = None
    mask: Optional[np.ndarray] = None
    voxels: Optional[np.ndarray] = None
    note: str = 'nothing'


def shape_tiles(path: PathLike, tiles: Sequence[Tile], columns: int = 6, title: str = '', view: View = VIEW) -> Path:
    """Draw panels in rows; all shapes have one scale.

    Args:
        path: PNG to write.
        tiles: At least one.
        columns: In a row.
        title: Heading of the figure.
        view: From where shapes are seen: azimuth and elevation, degrees.

    Returns:
        The path.

    Raises:
        ValueError: There is no panel.
    """
    if not tiles:
        raise ValueError('there is nothing to draw')
    columns = min(columns, len(tiles))
    rows, pitch = -(-len(tiles) // columns), _SIDE + _GAP
    width, height = columns * pitch + _GAP, _TOP + rows * (_HEAD + pitch)
    figure, stage = new_figure(width, height), _common_stage(tiles, view)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, bottom = _GAP + column * pitch, height - _TOP - (row + 1) * (_HEAD + pitch) + _GAP
        axes = figure.add_axes([left / width, bottom / height, _SIDE / width, _SIDE / height])
        head = '\n'.join(line if len(line) <= _NAME else '…' + line[1 - _NAME :] for line in tile.title.split('\n'))
        figure.text(left / width, (bottom + _SIDE + 0.05) / height, head, fontsize=8, color=INK, va='bottom')
        if tile.image is not None:
            draw_outlined(axes, tile.image, tile.mask)
        elif tile.voxels is not None and tile.voxels.any():
            step = 1 / len(tile.voxels)
            draw_voxels(axes, tile.voxels, np.full(3, -0.5), step, stage, view)
        else:
            prepare_panel(axes, stage)
            note = tile.note if tile.voxels is None else 'no voxel is full'
            axes.text(0.5, 0.5, note, transform=axes.transAxes, ha='center', va='center', color=SOFT, fontsize=9)
    figure.suptitle(title, x=0.5, y=1 - 0.12 / height, va='top', fontsize=11, color=INK)
    return save_figure(figure, path)


def _common_stage(tiles: Sequence[Tile], view: View) -> Stage:
    """On which the box around all shapes is wholly seen."""
    corners = []
    for voxels in (tile.voxels for tile in tiles if tile.voxels is not None and tile.voxels.any()):
        cells = np.argwhere(voxels)
        low, high = cells.min(axis=0), cells.max(axis=0) + 1
        corners.append(np.array(np.meshgrid(*zip(low, high))).reshape(3, -1).T / len(voxels) - 0.5)
    return stage_of(corners, [view])
