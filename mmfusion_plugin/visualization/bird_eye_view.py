"""A labelled sweep from above."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon

from .style import (
    FAINT,
    INK,
    RIGHT_RGB,
    SOFT,
    WRONG,
    Palette,
    PathLike,
    class_legend,
    label_colours,
    new_figure,
    save_figure,
)

EGO_LENGTH, EGO_WIDTH = 4.084, 1.73
"""The nuScenes car, a Renault Zoe, in metres."""


def bird_eye_view(
    path: PathLike,
    points: np.ndarray,
    predicted: Optional[np.ndarray],
    classes: Sequence[str],
    palette: Palette,
    truth: Optional[np.ndarray] = None,
    boxes: Optional[np.ndarray] = None,
    title: str = '',
    limit: float = 50.0,
) -> Path:
    """Draw a sweep from above, coloured by class; with both truth and prediction also where they differ.

    Args:
        path: PNG to write.
        points: ``(N, 3+)`` x, y, z in metres in the LiDAR frame (nuScenes: x right, y forward), so that the car drives
            up the picture.
        predicted: ``(N,)`` int classes, or None to draw the truth alone.
        classes: Class names.
        palette: RGB 0..255 per class.
        truth: ``(N,)`` int classes; labels beyond the classes are ignored points, drawn grey.
        boxes: ``(K, 7)`` x, y, z, length, width, height, yaw (x towards y) whose outlines are drawn.
        title: Heading of the figure.
        limit: Half the side of the square shown, metres; further points are left out.

    Raises:
        ValueError: No labels at all, or their number differs from the points'.
    """
    panels = {'truth': truth, 'prediction': predicted}
    panels = {name: np.asarray(labels) for name, labels in panels.items() if labels is not None}
    if not panels:
        raise ValueError('nothing to colour by: give predicted, truth or both')
    for name, labels in panels.items():
        if labels.shape != (len(points),):
            raise ValueError(f'{name} has shape {labels.shape} for {len(points)} points')
    compare = len(panels) == 2
    count = 3 if compare else 1
    side = 5.6 if compare else 8.0
    width, height = side * count, side + 1.35
    figure = new_figure(width, height)
    grid = dict(left=0.01, right=0.99, bottom=0.85 / height, top=1 - (0.6 if compare else 0.42) / height, wspace=0.03)
    all_axes = figure.subplots(1, count, squeeze=False, gridspec_kw=None)[0]
    figure.subplots_adjust(**grid)
    near = np.abs(points[:, :2]).max(axis=1, initial=0) <= limit
    # What is high hides what is below it, as from above.
    order = np.flatnonzero(near)[np.argsort(points[near, 2], kind='stable')]
    for axes, (name, labels) in zip(all_axes, panels.items()):
        _panel(axes, points[order], label_colours(labels[order], palette), limit, name if compare else '')
    if compare:
        truth, predicted = (labels[order] for labels in panels.values())
        _differences(all_axes[2], points[order], truth, predicted, len(classes), limit)
    if boxes is not None:
        for axes in all_axes:
            _outlines(axes, boxes, limit)
    figure.suptitle(title, x=0.5, y=1 - 0.14 / height, va='top', fontsize=12, color=INK)
    shown = np.concatenate([labels[order] for labels in panels.values()])
    outline = [Line2D([], [], color=INK, linewidth=1, label='annotated box')] if boxes is not None else []
    class_legend(figure, shown, classes, palette, 0.12 / height, outline, columns=9 if compare else 6)
    return save_figure(figure, path)


def _panel(axes: Axes, points: np.ndarray, colours: np.ndarray, limit: float, name: str) -> None:
    for radius in range(10, int(limit * 1.5), 10):
        axes.add_patch(Circle((0, 0), radius, fill=False, color=FAINT, linewidth=0.7, zorder=0))
        if radius <= limit:
            axes.annotate(f'{radius} m', (radius * 0.7071, -radius * 0.7071), fontsize=7, color=SOFT, zorder=5,
                          ha='center', va='center', bbox=dict(facecolor='white', alpha=0.75, linewidth=0, pad=0.8))
    axes.scatter(points[:, 0], points[:, 1], s=2.2, c=colours, linewidths=0, zorder=2, rasterized=True)
    half, nose = EGO_WIDTH / 2, EGO_LENGTH / 2
    car = [(-half, -nose), (half, -nose), (half, nose * 0.5), (0, nose), (-half, nose * 0.5)]
    axes.add_patch(Polygon(car, facecolor='white', edgecolor=INK, linewidth=1.2, zorder=6))
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect='equal')
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    axes.set_title(name, fontsize=10, color=INK, pad=4)


def _differences(
    axes: Axes, points: np.ndarray, truth: np.ndarray, predicted: np.ndarray, num_classes: int, limit: float
) -> None:
    """Right points grey, wrong ones red on top, ignored ones left out."""
    counted = (truth >= 0) & (truth < num_classes)
    wrong = counted & (truth != predicted)
    right = counted & ~wrong
    share = wrong.sum() / max(counted.sum(), 1)
    grey = np.tile(np.array(RIGHT_RGB) / 255, (int(right.sum()), 1))
    _panel(axes, points[right], grey, limit, f'wrong: {100 * share:.1f} % of these points')
    axes.scatter(points[wrong, 0], points[wrong, 1], s=2.6, c=WRONG, linewidths=0, zorder=3, rasterized=True)


def _outlines(axes: Axes, boxes: np.ndarray, limit: float) -> None:
    """Footprints, with a line from the centre to the front."""
    for x, y, _, length, width, _, yaw in np.asarray(boxes, np.float64)[:, :7]:
        if max(abs(x), abs(y)) > limit:
            continue
        forward = np.array([np.cos(yaw), np.sin(yaw)]) * length / 2
        left = np.array([-np.sin(yaw), np.cos(yaw)]) * width / 2
        centre = np.array([x, y])
        corners = [centre + forward + left, centre + forward - left, centre - forward - left, centre - forward + left]
        axes.add_patch(Polygon(corners, fill=False, edgecolor=INK, linewidth=0.8, zorder=4))
        axes.plot(*np.stack([centre, centre + forward]).T, color=INK, linewidth=0.8, zorder=4)
