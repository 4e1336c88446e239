"""Labelled points drawn over the images of all cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import FAINT, INK, Palette, PathLike, class_legend, label_colours, new_figure, save_figure

ARRANGEMENT = (
    ('CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT'),
    ('CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT'),
)
"""The nuScenes rig as seen from above, front row first."""

NEAREST, LARGEST, SMALLEST = 4.0, 14.0, 1.5
"""Distance (m) drawn largest, and the largest and smallest marker areas in points^2."""


def camera_overlay(
    path: PathLike,
    images: Sequence[np.ndarray],
    pixels: np.ndarray,
    distance: np.ndarray,
    predicted: Optional[np.ndarray],
    classes: Sequence[str],
    palette: Palette,
    cameras: Sequence[str],
    truth: Optional[np.ndarray] = None,
    title: str = '',
) -> Path:
    """Draw what each camera sees of a sweep, coloured by class, near points larger; the truth below the prediction.

    Args:
        path: PNG to write.
        images: V images ``(H, W, 3)`` uint8 RGB.
        pixels: ``(N, V, 2)`` float ``[u, v]`` in pixels of these images, centres at integers; -1, -1 where a camera
            does not see the point (:class:`~mmfusion_plugin.structures.PointPixelMatch`).
        distance: ``(N,)`` metres from the sensor.
        predicted: ``(N,)`` int classes, or None to draw the truth alone.
        classes: Class names.
        palette: RGB 0..255 per class.
        cameras: Name of each view. The six of nuScenes are laid out as on the car, others in the order given, three in
            a row.
        truth: ``(N,)`` int classes; labels beyond the classes are drawn grey.
        title: Heading of the figure.

    Raises:
        ValueError: No labels at all, or numbers of views or points that disagree.
    """
    blocks = {'prediction': predicted, 'truth': truth}
    blocks = {name: np.asarray(labels) for name, labels in blocks.items() if labels is not None}
    _check(blocks, images, pixels, distance, cameras)
    places = _layout(cameras)
    rows, columns = 1 + max(row for row, _ in places), 1 + max(column for _, column in places)
    ratio = images[0].shape[0] / images[0].shape[1]
    tile_width = 5.4
    tile_height = tile_width * ratio
    head, foot, gap = 0.45, 0.75, 0.32 if len(blocks) > 1 else 0.0
    width = columns * tile_width
    height = head + foot + len(blocks) * (rows * tile_height + gap)
    figure = new_figure(width, height)
    for block, (name, labels) in enumerate(blocks.items()):
        top = height - head - block * (rows * tile_height + gap)
        figure.text(0.5, (top - gap / 2) / height, name if len(blocks) > 1 else '', ha='center', va='center',
                    fontsize=11, color=INK)
        for view, (row, column) in enumerate(places):
            bottom = top - gap - (row + 1) * tile_height
            axes = figure.add_axes(
                [column / columns, bottom / height, 0.998 / columns, (tile_height - 0.02) / height])
            _tile(axes, images[view], pixels[:, view], distance, label_colours(labels, palette), cameras[view])
    figure.text(0.5, 1 - 0.14 / height, title, ha='center', va='top', fontsize=12, color=INK)
    seen = (pixels[..., 0] > -0.75).any(axis=1)
    shown = np.concatenate([labels[seen] for labels in blocks.values()])
    class_legend(figure, shown, classes, palette, 0.12 / height, columns=9)
    return save_figure(figure, path)


def _check(
    blocks: dict[str, np.ndarray], images: Sequence, pixels: np.ndarray, distance: np.ndarray, cameras: Sequence[str]
) -> None:
    if not blocks:
        raise ValueError('nothing to colour by: give predicted, truth or both')
    if not len(images) == len(cameras) == pixels.shape[1]:
        raise ValueError(f'{len(images)} images, {len(cameras)} camera names and {pixels.shape[1]} views of pixels')
    for name, values in {**blocks, 'distance': distance}.items():
        if values.shape != (len(pixels),):
            raise ValueError(f'{name} has shape {values.shape} for {len(pixels)} points')


def _layout(cameras: Sequence[str]) -> list[tuple[int, int]]:
    """Row and column of each view."""
    place = {name: (row, column) for row, names in enumerate(ARRANGEMENT) for column, name in enumerate(names)}
    if len(set(cameras)) == len(place) == len(cameras) and all(name in place for name in cameras):
        return [place[name] for name in cameras]
    return [divmod(view, 3) for view in range(len(cameras))]


def _tile(
    axes: Axes, image: np.ndarray, pixels: np.ndarray, distance: np.ndarray, colours: np.ndarray, name: str
) -> None:
    height, width = image.shape[:2]
    # Whitened a little, so that the colours of the classes stand out from those of the street.
    axes.imshow(image // 4 * 3 + 64, interpolation='antialiased', aspect='auto')
    seen = np.flatnonzero(pixels[:, 0] > -0.75)
    seen = seen[np.argsort(-distance[seen], kind='stable')]
    area = np.clip(LARGEST * NEAREST / np.maximum(distance[seen], 0.1), SMALLEST, LARGEST)
    axes.scatter(pixels[seen, 0], pixels[seen, 1], s=area, c=colours[seen], linewidths=0)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    axes.text(0.012, 0.975, name.replace('CAM_', '').replace('_', ' ').lower(), transform=axes.transAxes, ha='left',
              va='top', fontsize=9, color='white', bbox=dict(facecolor='black', alpha=0.55, linewidth=0, pad=2.5))
