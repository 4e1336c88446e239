"""A scan as a picture: from above and at an angle, in its own colours, by class, or by a value per point."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Optional, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from scipy.spatial import cKDTree

from .style import IGNORED_RGB, INK, Palette, PathLike, class_legend, label_colours, new_figure, save_figure

CEILING = 2.2
"""Metres above the floor beyond which points are left out, as they would hide what is below."""

_ELEVATION = 50.0
_GROUND = '#e9edf1'  # white walls show on it
_SIDE = 5.6
_COLOUR_MAP = 'viridis'
_LEAST_SPAN = 1e-3
_BOTTOM = 0.2
_OVERLAP = 2.4  # diameter of a dot as a multiple of the distance between points, so that surfaces close


def scan_views(
    path: PathLike,
    points: np.ndarray,
    colours: Optional[np.ndarray],
    labels: Optional[np.ndarray],
    classes: Sequence[str],
    palette: Palette,
    truth: Optional[np.ndarray] = None,
    azimuth: float = -135.0,
    title: str = '',
) -> Path:
    """Draw a scan in its own colours and by class, each from above (x right, y up) and in perspective.

    What is None is left out.

    Args:
        path: PNG to write.
        points: ``(N, 3)`` metres, +z up.
        colours: ``(N, 3)`` RGB 0..255, or None.
        labels: ``(N,)`` predicted classes, or None.
        classes: Class names.
        palette: RGB 0..255 per class.
        truth: ``(N,)`` classes, or None; labels beyond the classes are ignored points, drawn grey.
        azimuth: Where the eye of the perspective is, degrees from +x towards +y; it looks down at 50 degrees.
        title: Heading of the figure.

    Raises:
        ValueError: Numbers of points, colours and labels differ, there is no point, or nothing to colour it by.
    """
    rows = {} if colours is None else {'colour': np.asarray(colours) / 255}
    known = {'prediction': labels, 'truth': truth}
    rows.update({name: label_colours(np.asarray(part), palette) for name, part in known.items() if part is not None})
    if not rows:
        raise ValueError('nothing to colour by: give colours, labels or truth')
    _same_number(points, rows)
    height = _SIDE * len(rows) + 1.5
    figure = new_figure(2 * _SIDE, height)
    panels = figure.subplots(len(rows), 2, squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.95 / height, top=1 - 0.65 / height, wspace=0.02, hspace=0.08)
    for (name, shades), row in zip(rows.items(), panels):
        for axes, eye in zip(row, (None, azimuth)):
            _draw(axes, points, shades, eye)
            axes.set_title(f'{name}, {"from above" if eye is None else "in perspective"}', fontsize=10, color=INK)
    figure.suptitle(title, x=0.5, y=1 - 0.14 / height, va='top', fontsize=12, color=INK)
    shown = [np.asarray(part) for part in known.values() if part is not None]
    if shown:
        class_legend(figure, np.concatenate(shown), classes, palette, 0.12 / height, columns=7)
    return save_figure(figure, path)


def value_views(
    path: PathLike, points: np.ndarray, values: Mapping[str, np.ndarray], azimuth: float = -135.0, title: str = ''
) -> Path:
    """Draw one panel in perspective per value, each with its colour bar.

    Args:
        path: PNG to write.
        points: ``(N, 3)`` metres, +z up.
        values: ``(N,)`` by the panels' names; NaN is drawn light grey. A bar spans 98 % of its values, and
            0.001 at least, so that rounding errors do not look like a pattern.
        azimuth: See :func:`scan_views`.
        title: Heading of the figure.

    Raises:
        ValueError: Numbers of points and values differ, there is no point, or no value.
    """
    if not values:
        raise ValueError('nothing to colour by: give at least one value per point')
    _same_number(points, values)
    width, height = _SIDE * len(values), _SIDE + 0.9
    figure = new_figure(width, height)
    panels = figure.subplots(1, len(values), squeeze=False)[0]
    figure.subplots_adjust(left=0.02 / len(values), right=1 - 0.02 / len(values), bottom=_BOTTOM / height,
                           top=1 - 0.65 / height, wspace=0.04)
    for axes, (name, column) in zip(panels, values.items()):
        known = np.isfinite(column)
        low, high = np.percentile(column[known], (1, 99)) if known.any() else (0.0, 1.0)
        scale = Normalize(min(low, high - _LEAST_SPAN), high, clip=True)
        shades = np.tile(np.array(IGNORED_RGB) / 255, (len(points), 1))
        shades[known] = colormaps[_COLOUR_MAP](scale(column[known]))[:, :3]
        _draw(axes, points, shades, azimuth)
        axes.set_title(name, fontsize=10, color=INK)
        bar = figure.colorbar(ScalarMappable(scale, _COLOUR_MAP), ax=axes, orientation='horizontal', fraction=0.05,
                              pad=0.02, aspect=35, ticks=MaxNLocator(5), format=ScalarFormatter(useOffset=False))
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, labelcolor=INK)
    figure.suptitle(title, x=0.5, y=1 - 0.14 / height, va='top', fontsize=12, color=INK)
    return save_figure(figure, path)


def _same_number(points: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
    if not len(points):
        raise ValueError('the scan has no point to draw')
    for name, column in columns.items():
        if len(column) != len(points):
            raise ValueError(f'{name} has {len(column)} values for {len(points)} points')


def _draw(axes: Axes, points: np.ndarray, shades: np.ndarray, azimuth: Optional[float]) -> None:
    """Points in the order that lets near ones hide far ones, with dots as large as their spacing."""
    low = points[:, 2] <= np.percentile(points[:, 2], 1) + CEILING
    points, shades = points[low], shades[low]
    place, nearness = (points[:, :2], points[:, 2]) if azimuth is None else _perspective(points, azimuth)
    order = np.argsort(nearness, kind='stable')
    place, shades = place[order], shades[order]
    lower, upper = place.min(axis=0), place.max(axis=0)
    half = max(0.53 * float((upper - lower).max()), 1e-3)
    middle = (lower + upper) / 2
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), xticks=[], yticks=[],
             aspect='equal', facecolor=_GROUND)
    for spine in axes.spines.values():
        spine.set_visible(False)
    dot = 72 * _SIDE * _spacing(points) / (2 * half)
    axes.scatter(place[:, 0], place[:, 1], s=float(np.clip(_OVERLAP * dot, 0.5, 10.0)) ** 2, c=shades, linewidths=0,
                 rasterized=True)


def _perspective(points: np.ndarray, azimuth: float) -> tuple[np.ndarray, np.ndarray]:
    """Where points ``(N, 3)`` appear, ``(N, 2)`` in metres at the middle of the scan, and how near ``(N,)`` they are.

    The eye stands three times as far from the middle as half the diagonal of the scan's box.
    """
    yaw, pitch = np.deg2rad(azimuth), np.deg2rad(_ELEVATION)
    back = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([-np.sin(yaw), np.cos(yaw), 0])
    lower, upper = points.min(axis=0), points.max(axis=0)
    seen = (points - (lower + upper) / 2) @ np.stack([right, np.cross(back, right), back], axis=1)
    far = max(1.5 * float(np.linalg.norm(upper - lower)), 1e-3)
    return seen[:, :2] * (far / (far - seen[:, 2:])), seen[:, 2]


def _spacing(points: np.ndarray) -> float:
    """Median distance of points from their nearest neighbour, metres, of about 1,000 of them."""
    if len(points) < 2:
        return 1.0
    return float(np.median(cKDTree(points).query(points[:: max(1, len(points) // 1000)], k=2)[0][:, 1]))
