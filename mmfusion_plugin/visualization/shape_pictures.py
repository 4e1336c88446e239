"""A picture and the shape reconstructed from it: turned before the eye, beside the true one, and how sure it is."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .outlines import draw_outlined
from .style import FAINT, INK, PathLike, new_figure, save_figure
from .turntable import ELEVATION, draw_view, height_colours, spread_colours, stage_of

_SIDE, _GAP, _TOP = 2.3, 0.08, 0.55  # inches: of panels, between them, above them
_HEAD = 0.26  # above each row
_MOST = 4  # samples drawn
_BAR = 0.75  # inches beside the spread


def turntable_picture(
    path: PathLike,
    picture: np.ndarray,
    mask: Optional[np.ndarray],
    seen: np.ndarray,
    points: np.ndarray,
    truth: Optional[np.ndarray] = None,
    title: str = '',
) -> Path:
    """Draw a picture with its object's outline, what the network saw of it, and the cloud from eight sides.

    With a true cloud, each has four sides, the true one below. Clouds stand y up and x forward.

    Args:
        path: PNG to write.
        picture: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)``, 0 being background; None draws no outline.
        seen: ``(h, w, 3)`` uint8 RGB, the network's input.
        points: ``(N, 3)``.
        truth: ``(M, 3)``.
        title: Heading of the figure.
    """
    angles = np.arange(8) * 45.0 if truth is None else np.arange(4) * 90.0 + 45
    views = [(float(angle), ELEVATION) for angle in angles]
    clouds = [points] if truth is None else [points, truth]
    rows = [(points, views[:4]), (points, views[4:])] if truth is None else [(cloud, views) for cloud in clouds]
    stage = stage_of(clouds, views)
    figure, panels = _grid(2, 5)
    for row, (cloud, sides) in zip(panels, rows):
        colours = height_colours(cloud, stage)
        for axes, view in zip(row[1:], sides):
            draw_view(axes, cloud, colours, stage, _SIDE, view, f'{view[0]:.0f}°')
    _head(panels[0][0], 'picture')
    _head(panels[0][1], f'reconstructed: {len(points):,} points')
    _head(panels[1][0], f'what the network sees, {seen.shape[1]} x {seen.shape[0]}')
    if truth is not None:
        _head(panels[1][1], f'true: {len(truth):,} points')
    draw_outlined(panels[0][0], picture, mask)
    draw_outlined(panels[1][0], seen)
    return _finish(figure, path, title)


def samples_picture(
    path: PathLike, points: np.ndarray, samples: np.ndarray, spread: np.ndarray, title: str = ''
) -> Path:
    """Draw clouds drawn from a network's distribution side by side, and how far each point differs between them.

    Two rows, half from the front and half from behind: the predicted cloud in the colours of its points' spread, all
    samples in one panel, then the first four of them.

    Args:
        path: PNG to write.
        points: ``(N, 3)`` predicted, y up and x forward.
        samples: ``(S, N, 3)``.
        spread: ``(N,)`` standard deviation of the points over the samples, in their unit.
        title: Heading of the figure.
    """
    views = [(45.0, ELEVATION), (225.0, ELEVATION)]
    stage = stage_of([points, *samples], views)
    shown = samples[:_MOST]
    figure, panels = _grid(2, 2 + len(shown), _BAR)
    all_points, tints = samples.reshape(-1, 3), np.repeat(_tints(len(samples)), samples.shape[1], axis=0)
    for row, view, head in zip(panels, views, ('half from the front', 'half from behind')):
        _head(row[0], head)
        draw_view(row[0], points, spread_colours(spread), stage, _SIDE, view, 'spread of each point', fade=False)
        draw_view(row[1], all_points, tints, stage, _SIDE, view, f'all {len(samples)} samples', fade=False)
        for number, (axes, sample) in enumerate(zip(row[2:], shown), 1):
            draw_view(axes, sample, height_colours(sample, stage), stage, _SIDE, view, f'sample {number}')
    _colour_bar(figure, spread)
    return _finish(figure, path, title)


def _grid(rows: int, columns: int, right: float = 0.0) -> Tuple[Figure, List[List[Axes]]]:
    """Square panels in rows; ``right`` inches stay free beside them."""
    width, row = columns * (_SIDE + _GAP) + _GAP + right, _HEAD + _SIDE + _GAP
    height = _TOP + rows * row
    figure, panels = new_figure(width, height), []
    for number in range(rows):
        bottom = height - _TOP - (number + 1) * row + _GAP
        panels.append([
            figure.add_axes([(_GAP + column * (_SIDE + _GAP)) / width, bottom / height, _SIDE / width, _SIDE / height])
            for column in range(columns)
        ])  # fmt: skip
    return figure, panels


def _head(axes: Axes, text: str) -> None:
    """A heading at the left above a panel, where a picture of another shape would not put its title."""
    box = axes.get_position()
    axes.figure.text(box.x0, box.y1 + 0.06 / axes.figure.get_figheight(), text, fontsize=9.5, color=INK, va='bottom')


def _finish(figure: Figure, path: PathLike, title: str) -> Path:
    height = figure.get_figheight()
    figure.suptitle(title, x=0.5, y=1 - 0.14 / height, va='top', fontsize=12, color=INK)
    return save_figure(figure, path)


def _tints(count: int) -> np.ndarray:
    """``(count, 3)`` colours that differ."""
    return colormaps['turbo'](np.linspace(0.08, 0.92, count))[:, :3]


def _colour_bar(figure: Figure, spread: np.ndarray) -> None:
    """At the right edge of the figure."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes([1 - (_BAR - 0.1) / width, 0.2, 0.14 / width, 0.5])
    # The upper tenth of the map is too pale on the panels' ground.
    colours = ScalarMappable(Normalize(0, float(spread.max()) / 0.9), colormaps['plasma'])
    bar = figure.colorbar(colours, cax=axes)
    bar.ax.set_ylim(0, max(float(spread.max()), 1e-12))
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.outline.set_edgecolor(FAINT)
    axes.set_title('spread', fontsize=8.5, color=INK, loc='left', pad=6)

