"""Many photographs and their masks on one sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence, Tuple

import numpy as np

from .outlines import draw_outlined
from .style import INK, SOFT, PathLike, new_figure, save_figure

_SIDE = 2.7  # inches of a tile
_COLUMNS = 4
_NAME = 34  # characters of a name that fit over a tile


def contact_sheet(path: PathLike, tiles: Sequence[Tuple[str, np.ndarray, np.ndarray]], title: str = '') -> Path:
    """Draw photographs with the outlines of their masks, four in a row.

    Args:
        path: PNG to write.
        tiles: Name, photograph ``(H, W, 3)`` uint8 RGB and mask ``(H, W)`` of each, 0 being background.
        title: Heading of the figure.

    Raises:
        ValueError: There is no tile, or a mask is of another size than its photograph.
    """
    if not tiles:
        raise ValueError('there is no photograph to draw')
    for name, image, mask in tiles:
        if mask.shape != image.shape[:2]:
            raise ValueError(f'the mask of {name} is {mask.shape} for a photograph of {image.shape[:2]}')
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    aspect = float(np.clip(np.median([image.shape[0] / image.shape[1] for _, image, _ in tiles]), 0.5, 1.6))
    width, height = max(columns * _SIDE, 4.5), rows * (_SIDE * aspect + 0.4) + 0.55
    figure = new_figure(width, height)
    panels = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(left=0.08 / width, right=1 - 0.08 / width, bottom=0.08 / height, top=1 - 0.78 / height,
                           wspace=0.04, hspace=0.4 / (_SIDE * aspect))  # fmt: skip
    for axes in panels.flat[len(tiles) :]:
        axes.set_axis_off()
    for axes, (name, image, mask) in zip(panels.flat, tiles):
        draw_outlined(axes, image, mask)
        axes.set_anchor('N')
        share = 100 * float((mask != 0).mean())
        short = name if len(name) <= _NAME else '…' + name[1 - _NAME :]
        axes.set_title(f'{short}\n{share:.1f} % foreground' if share else f'{short}\nno foreground', fontsize=8,
                       color=INK if share else SOFT, linespacing=1.3)  # fmt: skip
    figure.suptitle(title, x=0.5, y=1 - 0.12 / height, va='top', fontsize=11, color=INK)
    return save_figure(figure, path)
