"""The study's figures as a table, in the README, and as a picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from study_plan import INTEREST, REFERENCE, VARIANTS

from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.style import FAINT, INK, SOFT, new_figure, save_figure

MEANS = {'miou': 'mIoU', 'interest': 'interest', 'other': 'other'}
BOX_FIGURES = {  # of BoxQuality
    'recall': 'recall', 'precision': 'precision', 'mean_iou': 'mean IoU of matches', 'class_accuracy': 'right class',
}
COLOURS = ('#0969da', '#1a7f37', '#9a6700')


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of a figure over seeds; nan where there are too few."""

    mean: float
    deviation: float
    count: int

    @classmethod
    def of(cls, values: list[float | None]) -> Spread:
        """Of the values that are there."""
        known = np.array([value for value in values if value is not None], dtype=np.float64)
        mean = known.mean() if len(known) else np.nan
        return cls(float(mean), float(known.std(ddof=1)) if len(known) > 1 else np.nan, len(known))

    def text(self, scale: float = 1.0, digits: int = 2, sign: str = '') -> str:
        """``mean ± deviation``; a dash where nothing is known."""
        if not self.count:
            return '–'
        mean = f'{scale * self.mean:{sign}.{digits}f}'
        return mean if np.isnan(self.deviation) else f'{mean} ± {scale * self.deviation:.{digits}f}'


def by_variant(runs: list[dict]) -> dict[str, dict[int, dict]]:
    """Entries per variant, in the order of ``VARIANTS``, and seed."""
    found = {name: {e['seed']: e for e in runs if e['variant'] == name} for name in VARIANTS}
    return {name: entries for name, entries in found.items() if entries}


def paired_difference(entries: dict[int, dict], reference: dict[int, dict], key: str) -> Spread:
    """Spread of ``key`` minus the reference's of the same seed, over the seeds that both have."""
    seeds = [s for s in entries if s in reference and None not in (entries[s][key], reference[s][key])]
    return Spread.of([entries[seed][key] - reference[seed][key] for seed in seeds])


def table(runs: list[dict]) -> str:
    """Markdown: means over classes of each variant; IoU of the classes of interest; figures of the training boxes; how
    the runs were made. IoU in percent."""
    variants = by_variant(runs)
    reference = variants.get(REFERENCE, {})
    rows = [['variant', 'seeds', *MEANS.values(), f'mIoU − {REFERENCE}', f'interest − {REFERENCE}']]
    classes = [['variant', *INTEREST]]
    boxes = [['training boxes of', 'number', *BOX_FIGURES.values()]]
    for name, entries in variants.items():
        row = [name, ', '.join(str(seed) for seed in sorted(entries))]
        row += [Spread.of([entry[key] for entry in entries.values()]).text(100) for key in MEANS]
        differences = [paired_difference(entries, reference, key) for key in ('miou', 'interest')]
        row += [d.text(100, sign='+') if name != REFERENCE else '' for d in differences]
        rows.append(row)
        ious = [[entry['iou'][label] for entry in entries.values()] for label in INTEREST]
        classes.append([name, *(Spread.of(values).text(100) for values in ious)])
        figures = next((entry['boxes'] for entry in entries.values() if entry['boxes']), None)
        if figures:
            boxes.append([name, f'{figures["given"]:,}', *(f'{figures[key]:.3f}' for key in BOX_FIGURES)])
    parts = [_markdown(part) for part in (rows, classes, boxes) if len(part) > 1]
    return '\n\n'.join([*parts, sharing(runs)])


def sharing(runs: list[dict]) -> str:
    """Sentence: how many trainings shared the machine, with how many threads each, and how loaded it was."""
    groups: dict[tuple, list[dict]] = {}
    for entry in runs:
        groups.setdefault((entry.get('jobs'), entry['threads'], entry['device']), []).append(entry)
    words = []
    for (jobs, threads, device), entries in groups.items():
        at_once = 'an unrecorded number' if jobs is None else str(jobs)
        threads = f'{threads} thread{"s" * (threads != 1)}'
        words.append(f'{len(entries)} with {at_once} at once, {threads} each, on {device}{_load(entries)}')
    return f'Trainings: {"; ".join(words)}.'


def _load(entries: list[dict]) -> str:
    loads = [entry['load_average'][-1] for entry in entries if 'load_average' in entry]  # of 15 minutes
    return f' (load average {min(loads):.1f} to {max(loads):.1f})' if loads else ''


def timing_table(timing: list[dict]) -> str:
    """Markdown: cost of a training step of each system, measured alone (``study_timing``)."""
    rows = [['alone on the machine', 's / iteration', 'MiB', 'load average before', 'after', 'iterations', 'threads']]
    for entry in timing:
        memory = entry.get('gpu_memory_mb', entry['peak_memory_mb'])
        row = [entry['variant'], f'{entry["seconds_per_iteration"]:.2f}', '–' if memory is None else f'{memory:.0f}']
        row += [f'{entry["load_before"][0]:.2f}', f'{entry["load_average"][0]:.2f}']
        rows.append([*row, str(entry['iterations']), str(entry['threads'])])
    return _markdown(rows)


def _markdown(rows: list[list[str]]) -> str:
    lines = [f'| {" | ".join(row)} |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]])


def write_into(page: Path, size: str, text: str) -> None:
    """Put ``text`` between the markers of ``size`` in a Markdown page.

    Raises:
        ValueError: The page has not exactly one pair of them.
    """
    begin, end = f'<!-- results {size}: begin -->', f'<!-- results {size}: end -->'
    between = re.compile(f'(?<={re.escape(begin)}\n).*?(?={re.escape(end)})', re.S)
    new, count = between.subn(lambda _: f'\n{text}\n\n', page.read_text())
    if count != 1:
        raise ValueError(f'{page} has {count} pairs of the lines {begin} and {end}; it needs one')
    write_text(page, new)


def picture(path: Path, runs: list[dict], title: str) -> Path:
    """Bars of the means over seeds, a dot per seed; IoU in percent."""
    variants = by_variant(runs)
    figure = new_figure(1.6 + 1.15 * len(variants), 4.2)
    axes = figure.add_subplot()
    width = 0.8 / len(MEANS)
    for number, (key, label) in enumerate(MEANS.items()):
        places = np.arange(len(variants)) + (number - (len(MEANS) - 1) / 2) * width
        spreads = [Spread.of([entry[key] for entry in entries.values()]) for entries in variants.values()]
        axes.bar(places, [100 * s.mean for s in spreads], width * 0.92, color=COLOURS[number], alpha=0.75, label=label)
        for place, entries in zip(places, variants.values()):
            values = [100 * entry[key] for entry in entries.values() if entry[key] is not None]
            axes.plot([place] * len(values), values, 'o', color=INK, markersize=3.5, alpha=0.8)
    axes.set_xticks(np.arange(len(variants)), list(variants))
    axes.set_ylabel('IoU (%), mean and single seeds', color=INK)
    axes.set_axisbelow(True)
    axes.grid(axis='y', color=FAINT, linewidth=0.6)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ('left', 'bottom'))
        spine.set_color(SOFT)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=len(MEANS), loc='upper left', bbox_to_anchor=(0, 1.1))
    figure.suptitle(title, fontsize=11, color=INK)
    figure.tight_layout()
    return save_figure(figure, path)
