"""The study's figures as a table, and as a picture."""

from __future__ import annotations

from pathlib import Path

from study_plan import INTEREST, REFERENCE, VARIANTS

from mmfusion_plugin.apis.study import Spread, by_variant, draw_bars, markdown, paired_difference, sharing

MEANS = {'miou': 'mIoU', 'interest': 'interest', 'other': 'other'}
BOX_FIGURES = {  # of BoxQuality
    'recall': 'recall', 'precision': 'precision', 'mean_iou': 'mean IoU of matches', 'class_accuracy': 'right class',
}


def table(runs: list[dict]) -> str:
    """Markdown: means over classes of each variant; IoU of the classes of interest; figures of the training boxes; how
    the runs were made. IoU in percent."""
    variants = by_variant(runs, tuple(VARIANTS))
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
    parts = [markdown(part) for part in (rows, classes, boxes) if len(part) > 1]
    return '\n\n'.join([*parts, sharing(runs)])


def picture(path: Path, runs: list[dict], title: str) -> Path:
    """Bars of the means over seeds, a dot per seed; IoU in percent."""
    return draw_bars(path, by_variant(runs, tuple(VARIANTS)), MEANS, title)
