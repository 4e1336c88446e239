"""Scores of a study's variants as bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmfusion_plugin.visualization.style import FAINT, INK, SOFT, new_figure, save_figure

from .spread import Spread

COLOURS = ('#0969da', '#1a7f37', '#9a6700')


def draw_bars(
    path: Path, variants: dict[str, dict[int, dict]], means: Mapping[str, str], title: str,
    figure_name: str = 'IoU',
) -> Path:
    """Bars of the means over seeds, a dot per seed, in percent.

    Args:
        path: PNG to write.
        variants: Of :func:`~mmfusion_plugin.apis.study.spread.by_variant`.
        means: Keys of the entries, in 0..1, and their names; as many as there are :data:`COLOURS`, or fewer.
        title: Above the picture.
        figure_name: What the bars are, at their axis.

    Returns:
        ``path``.
    """
    figure = new_figure(1.6 + 1.15 * len(variants), 4.2)
    axes = figure.add_subplot()
    width = 0.8 / len(means)
    for number, (key, label) in enumerate(means.items()):
        places = np.arange(len(variants)) + (number - (len(means) - 1) / 2) * width
        spreads = [Spread.of([entry[key] for entry in entries.values()]) for entries in variants.values()]
        axes.bar(places, [100 * s.mean for s in spreads], width * 0.92, color=COLOURS[number], alpha=0.75, label=label)
        for place, entries in zip(places, variants.values()):
            values = [100 * entry[key] for entry in entries.values() if entry[key] is not None]
            axes.plot([place] * len(values), values, 'o', color=INK, markersize=3.5, alpha=0.8)
    axes.set_xticks(np.arange(len(variants)), list(variants))
    axes.set_ylabel(f'{figure_name} (%), mean and single seeds', color=INK)
    axes.set_axisbelow(True)
    axes.grid(axis='y', color=FAINT, linewidth=0.6)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ('left', 'bottom'))
        spine.set_color(SOFT)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=len(means), loc='upper left', bbox_to_anchor=(0, 1.1))
    figure.suptitle(title, fontsize=11, color=INK)
    figure.tight_layout()
    return save_figure(figure, path)
