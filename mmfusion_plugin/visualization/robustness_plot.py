"""mIoU over the severity of a damage, one curve per model (as in SAFNet's Fig. 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, NamedTuple, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import FAINT, INK, SOFT, PathLike, new_figure, save_figure
from .training_curve import LINES, STROKES

MARKERS = 'osD^vP'
COLUMNS = 3


class Panel(NamedTuple):
    """One kind of damage.

    Attributes:
        title: Its name.
        label: What the horizontal axis measures, with its unit.
        curves: Model to ``(value, mean, deviation)`` of each measured value; mean and deviation in 0..1, the deviation
            nan where there is a single measurement. A model that the damage cannot reach has one entry, of value None.
    """

    title: str
    label: str
    curves: Mapping[str, Sequence[tuple[Optional[float], float, float]]]


def robustness_plot(path: PathLike, panels: Sequence[Panel], title: str = '') -> Path:
    """Draw a panel per damage, with means as lines, deviations as bars, and untouched models as horizontal lines.

    Args:
        path: PNG to write.
        panels: At least one.
        title: Heading of the figure.

    Returns:
        The path.

    Raises:
        ValueError: There is nothing to draw.
    """
    if not any(panel.curves for panel in panels):
        raise ValueError('no measurement to draw')
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(max(4.6, 3.7 * columns), 0.8 + 3.2 * rows)
    places = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, panel in zip(places, panels):
        _draw(axes, panel, names)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    for axes in places[:: columns]:
        axes.set_ylabel('mIoU (%)', color=INK)
    handles = {label: handle for axes in places[: len(panels)] for handle, label in
               zip(*axes.get_legend_handles_labels())}
    figure.suptitle(title, fontsize=12, color=INK)
    below = 0.4 / figure.get_figheight()
    figure.tight_layout(rect=(0, below, 1, 1))
    figure.legend([handles[name] for name in names], names, loc='lower center', ncols=min(len(names), 5), frameon=False,
                  fontsize=9, labelcolor=INK)  # fmt: skip
    return save_figure(figure, path)


def _draw(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    ticks: set[float] = set()
    for name, entries in panel.curves.items():
        number = names.index(name)
        style = dict(color=LINES[number % len(LINES)], linestyle=STROKES[number // len(LINES) % len(STROKES)],
                     linewidth=1.8, label=name)
        if entries[0][0] is None:
            _, mean, deviation = entries[0]
            axes.axhline(100 * mean, **style)
            reach = np.nan_to_num(deviation)
            axes.axhspan(100 * (mean - reach), 100 * (mean + reach), color=style['color'], alpha=0.12, linewidth=0)
            continue
        values, means, deviations = np.array(sorted(entries), np.float64).T
        axes.errorbar(values, 100 * means, 100 * np.nan_to_num(deviations), capsize=3, markersize=5,
                      marker=MARKERS[number % len(MARKERS)], **style)  # fmt: skip
        ticks.update(values)
    if ticks:
        axes.set_xticks(sorted(ticks), [f'{value:g}' for value in sorted(ticks)])
    axes.set_title(panel.title, fontsize=10, color=INK)
    axes.set_xlabel(panel.label, color=INK, fontsize=9)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ('left', 'bottom'))
        spine.set_color(SOFT)
