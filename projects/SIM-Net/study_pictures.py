"""The study's figures as pictures: bars of each trait, and accuracy over the number of sheets."""

from __future__ import annotations

from pathlib import Path

from study_plan import FEW, MAIN, SHOTS, TRAIT, TRAITS, Variant
from study_table import MEANS

from mmfusion_plugin.apis.study import Spread, by_variant, draw_bars
from mmfusion_plugin.visualization.style import FAINT, INK, SOFT, new_figure, save_figure
from mmfusion_plugin.visualization.training_curve import LINES


def bars(path: Path, runs: list[dict], title: str) -> Path:
    """Bars of the main systems and traits, a dot per seed; returns ``path``."""
    shown = [Variant(system, trait) for trait in TRAITS for system in MAIN]
    return draw_bars(path, by_variant(runs, [variant.name for variant in shown]), MEANS, title, 'Score')


def few_shot_curve(path: Path, runs: list[dict], all_sheets: int, title: str) -> Path:
    """Accuracy over the sheets of each class that were trained on: mean, deviation over seeds, a dot per seed.

    Args:
        path: PNG to write.
        runs: Finished runs.
        all_sheets: Of each class, on average, where all were trained on.
        title: Above the picture.

    Returns:
        ``path``.
    """
    found = by_variant(runs, list({entry['variant'] for entry in runs}))
    figure = new_figure(5.6, 4)
    axes = figure.add_subplot()
    for system, colour in zip(FEW, LINES):
        places = {shots or all_sheets: found.get(Variant(system, shots=shots).name, {}) for shots in (*SHOTS, None)}
        scores = {place: [100 * entry['accuracy'] for entry in entries.values()]
                  for place, entries in places.items() if entries}  # fmt: skip
        spreads = [Spread.of(values) for values in scores.values()]
        axes.errorbar(list(scores), [s.mean for s in spreads], [s.deviation for s in spreads], color=colour,
                      label=system, linewidth=1.8, capsize=3)  # fmt: skip
        for place, values in scores.items():
            axes.plot([place] * len(values), values, 'o', color=colour, markersize=3.5)
    axes.set_xscale('log')
    axes.set_xticks([*SHOTS, all_sheets], [*map(str, SHOTS), f'{all_sheets} (all)'])
    axes.minorticks_off()
    axes.set_xlabel('training sheets of each class', color=INK)
    axes.set_ylabel(f'accuracy on {TRAIT} (%)', color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ('left', 'bottom'))
        spine.set_color(SOFT)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    figure.suptitle(title, fontsize=11, color=INK)
    figure.tight_layout()
    return save_figure(figure, path)
