"""The views of a scan beside the labels of their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from .style import INK, Palette, PathLike, class_legend, label_colours, new_figure, save_figure

_WIDTH = 3.2  # inches of an image
_MOST = 12


def view_pictures(
    path: PathLike,
    images: np.ndarray,
    classes: Sequence[str],
    palette: Palette,
    truth: Optional[np.ndarray] = None,
    predicted: Optional[np.ndarray] = None,
    names: Optional[Sequence[str]] = None,
    title: str = '',
) -> Path:
    """Draw views, a column each: the image, the truth and the prediction of its pixels, of those there are.

    Args:
        path: PNG to write.
        images: ``(V, H, W, 3)`` RGB uint8; of more than 12, 12 spread evenly are drawn.
        classes: Class names.
        palette: RGB 0..255 per class.
        truth: ``(V, H, W)`` classes; labels beyond the classes are ignored pixels, drawn grey.
        predicted: ``(V, H, W)`` classes.
        names: Heading of each column.
        title: Heading of the figure.

    Raises:
        ValueError: There is no view, or labels are of other images.
    """
    if not len(images):
        raise ValueError('there is no view to draw')
    rows = {'truth': truth, 'prediction': predicted}
    rows = {name: np.asarray(labels) for name, labels in rows.items() if labels is not None}
    for name, labels in rows.items():
        if labels.shape != images.shape[:3]:
            raise ValueError(f'{name} {labels.shape} is not that of images {images.shape}')
    chosen = np.linspace(0, len(images) - 1, min(len(images), _MOST)).round().astype(int)
    size = _WIDTH * images.shape[1] / images.shape[2]
    height = (size + 0.25) * (1 + len(rows)) + (1.5 if rows else 0.6)
    figure = new_figure(_WIDTH * len(chosen), height)
    panels = figure.subplots(1 + len(rows), len(chosen), squeeze=False)
    figure.subplots_adjust(
        left=0.005, right=0.995, bottom=(0.95 if rows else 0.05) / height, top=1 - 0.55 / height, wspace=0.02,
        hspace=0.12,
    )
    for column, view in enumerate(chosen):
        panels[0, column].imshow(images[view])
        panels[0, column].set_title(names[view] if names is not None else f'view {view}', fontsize=9, color=INK)
        for axes, (name, labels) in zip(panels[1:, column], rows.items()):
            axes.imshow(label_colours(labels[view].ravel(), palette).reshape(*labels.shape[1:], 3))
            axes.set_title(name, fontsize=9, color=INK)
    for axes in panels.flat:
        axes.set_axis_off()
    figure.suptitle(title, x=0.5, y=1 - 0.1 / height, va='top', fontsize=11, color=INK)
    if rows:
        shown = np.concatenate([labels[chosen].ravel() for labels in rows.values()])
        class_legend(figure, shown, classes, palette, 0.1 / height, columns=min(9, 3 * len(chosen)))
    return save_figure(figure, path)
