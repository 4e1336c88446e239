"""Models of a ShapeNet on one sheet: what was rendered, the voxels and the cloud, seen from the same side."""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from .cloud_views import GROUND
from .style import INK, PathLike, new_figure, save_figure
from .turntable import ELEVATION, draw_view, height_colours, stage_of
from .voxel_views import draw_voxels

_SIDE = 1.9  # inches of a panel
_GAP, _HEAD = 0.06, 0.5


class ModelFiles(NamedTuple):
    """What is drawn of a model.

    Attributes:
        name: Written above it.
        pictures: Each ``(H, W, 4)`` uint8 RGBA.
        viewpoints: Azimuth and elevation of each picture, degrees.
        points: ``(N, 3)``, y up and x forward.
        occupied: ``(D, D, D)`` bool voxels.
        corner: ``(3,)`` lowest corner of the voxels, in the frame of the points.
        step: Side of a voxel.
    """

    name: str
    pictures: Sequence[np.ndarray]
    viewpoints: Sequence[Tuple[float, float]]
    points: np.ndarray
    occupied: np.ndarray
    corner: np.ndarray
    step: float


def model_sheet(path: PathLike, models: Sequence[ModelFiles], title: str = '') -> None:
    """Draw a row for each model: its pictures, voxels and cloud as the first picture sees them, and the cloud's front.

    Args:
        path: PNG to write.
        models: At least one, each with a picture and at most as many as the first has.
        title: Heading of the figure.

    Raises:
        ValueError: There is no model, or one has no picture.
    """
    if not models or not all(len(model.pictures) for model in models):
        raise ValueError('there is no model to draw, or one without a picture')
    columns = len(models[0].pictures) + 3
    width, row = columns * (_SIDE + _GAP) + _GAP, _SIDE + _GAP + 0.24
    height = len(models) * row + _HEAD
    figure = new_figure(width, height)
    for number, model in enumerate(models):
        bottom = height - _HEAD - (number + 1) * row + _GAP
        panels = [
            figure.add_axes([(_GAP + column * (_SIDE + _GAP)) / width, bottom / height, _SIDE / width, _SIDE / height])
            for column in range(columns)
        ]
        figure.text(_GAP / width, (bottom + _SIDE + 0.05) / height, model.name, fontsize=9, color=INK, va='bottom')
        _draw_model(panels, model)
    figure.suptitle(title, x=0.5, y=1 - 0.12 / height, va='top', fontsize=11, color=INK)
    save_figure(figure, path)


def _draw_model(panels: Sequence[Axes], model: ModelFiles) -> None:
    for axes, picture, (azimuth, elevation) in zip(panels, model.pictures, model.viewpoints):
        _draw_picture(axes, picture, f'{azimuth:.0f}°, from {elevation:.0f}° above')
    for axes in panels[len(model.pictures) : -3]:
        axes.set_axis_off()
    same, front = model.viewpoints[0], (0.0, ELEVATION)
    cubes = [model.corner + model.step * (np.argwhere(model.occupied) + offset) for offset in (0, 1)]
    stage = stage_of([model.points, *cubes], [same, front])
    colours = height_colours(model.points, stage)
    voxels, cloud, facing = panels[-3:]
    draw_voxels(voxels, model.occupied, model.corner, model.step, stage, same, f'{int(model.occupied.sum()):,} voxels')
    draw_view(cloud, model.points, colours, stage, _SIDE, same, f'{len(model.points):,} points')
    draw_view(facing, model.points, colours, stage, _SIDE, front, 'front')


def _draw_picture(axes: Axes, picture: np.ndarray, title: str) -> None:
    """A picture before the ground of the other panels."""
    cover = picture[..., 3:] / 255
    axes.imshow(cover * picture[..., :3] / 255 + (1 - cover) * np.array(to_rgb(GROUND)), interpolation='bilinear')
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.text(0.03, 0.97, title, transform=axes.transAxes, ha='left', va='top', fontsize=8, color='#57606a')
