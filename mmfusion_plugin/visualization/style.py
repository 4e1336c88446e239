"""What all pictures share: a canvas that needs no display, one legend, one way to save.

Figures are built on ``matplotlib.figure.Figure`` with the Agg canvas. ``pyplot`` and its global state are never
touched, so that drawing from a training process, a thread or a notebook changes nothing for its caller.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmfusion_plugin.files import whole_file

PathLike = Union[str, Path]
Palette = Sequence[Sequence[int]]

INK = '#24292f'
SOFT = '#8b949e'
FAINT = '#d8dee4'
WRONG = '#d1242f'
IGNORED_RGB = RIGHT_RGB = (200, 205, 210)
DPI = 120


def new_figure(width: float, height: float) -> Figure:
    """Empty white figure of ``width`` x ``height`` inches at 120 pixels an inch."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: PathLike) -> Path:
    """Write a PNG (always, whatever the suffix), creating its folder; a half-written file never shows.

    Returns:
        The path.
    """
    path = Path(path)
    with whole_file(path) as partial:
        figure.savefig(partial, format='png', dpi=DPI)
    return path


def label_colours(labels: np.ndarray, palette: Palette) -> np.ndarray:
    """RGB in 0..1 per label.

    Args:
        labels: ``(N,)`` integers; anything outside the palette (the ignore index) is drawn light grey.
        palette: RGB 0..255 per class.

    Returns:
        ``(N, 3)`` float64.
    """
    table = np.concatenate([np.asarray(palette, np.float64).reshape(-1, 3), [IGNORED_RGB]]) / 255
    known = (labels >= 0) & (labels < len(palette))
    return table[np.where(known, labels, len(palette))]


def class_legend(
    figure: Figure,
    shown: np.ndarray,
    classes: Sequence[str],
    palette: Palette,
    bottom: float,
    extra: Optional[Sequence[Line2D]] = None,
    columns: int = 9,
) -> None:
    """One legend below all panels with the classes that occur.

    Args:
        figure: Drawn on.
        shown: Labels drawn anywhere in the figure, any shape.
        classes: Class names.
        palette: RGB 0..255 per class.
        bottom: Height of the legend's lower edge as a share of the figure.
        extra: Further entries, put last.
        columns: Entries in a row.
    """
    present = np.unique(shown)
    entries = [
        _dot(label_colours(np.array([label]), palette)[0], classes[label].replace('_', ' '))
        for label in present
        if 0 <= label < len(classes)
    ]
    if any(not 0 <= label < len(classes) for label in present):
        entries.append(_dot(np.array(IGNORED_RGB) / 255, 'ignored'))
    entries += list(extra or [])
    figure.legend(
        handles=_by_rows(entries, columns), loc='lower center', bbox_to_anchor=(0.5, bottom), ncol=columns,
        frameon=False, fontsize=9, labelcolor=INK, handletextpad=0.5, columnspacing=1.4, borderaxespad=0.0,
    )


def _dot(colour: np.ndarray, name: str) -> Line2D:
    return Line2D([], [], marker='o', linestyle='', markersize=7, color=tuple(colour), label=name)


def _by_rows(entries: list[Line2D], columns: int) -> list[Line2D]:
    """Matplotlib fills a legend column by column; reorder so that it reads row by row."""
    columns = min(columns, len(entries)) or 1
    return [entry for column in range(columns) for entry in entries[column::columns]]
