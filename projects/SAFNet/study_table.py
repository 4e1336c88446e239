"""The study's figures as tables, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from study_plan import GROUPS, REFERENCE, SYSTEMS, VARIANTS, VIEWS

from mmfusion_plugin.apis.study import Spread, by_variant, draw_bars, markdown, paired_difference, sharing
from mmfusion_plugin.converters.scannet_taxonomy import CLASSES

MEANS = {'miou': 'mIoU', 'colour': 'colour', 'other': 'other'}
PUBLISHED = {
    # Table III of the paper: what the row adds, the row that it is added to, and mIoU (%) on ScanNet's validation
    # split. Its text, not the ticks of the table, tells which column is which (and calls it Table II).
    'baseline': ('late fusion alone', None, 61.5),
    'gsm-fs': ('geometric similarity, forward search', 'baseline', 63.5),
    'gsm-bs': ('geometric similarity, backward search', 'baseline', 62.8),
    'gsm': ('geometric similarity, both', 'baseline', 64.2),
    'csm': ('contextual similarity', 'gsm', 66.5),
    'aux': ('auxiliary supervision', 'csm', 67.9),
    'unp': ('loss of unprojected pixels', 'aux', 68.3),
    'safnet': ('channel attention', 'unp', 68.5),
}
Variants = dict[str, dict[int, dict]]


def tables(runs: list[dict]) -> str:
    """Markdown: means over classes of each variant; the paper's ablation; IoU of each class; the image network; how the
    runs were made. IoU in percent."""
    variants = by_variant(runs, VARIANTS)
    points = {name: entries for name, entries in variants.items() if name != VIEWS}
    parts = [part for part in (means(points), ablation(points), classes(points), image_network(variants)) if part]
    return '\n\n'.join([*parts, sharing(runs)])


def means(variants: Variants) -> Optional[str]:
    """A row per variant: means over groups of classes, and differences to :data:`REFERENCE` taken seed by seed."""
    reference = variants.get(REFERENCE, {})
    rows = [['variant', 'seeds', *MEANS.values(), f'mIoU − {REFERENCE}', f'colour − {REFERENCE}']]
    for name, entries in variants.items():
        row = [name, ', '.join(str(seed) for seed in sorted(entries)), *(_spread(entries, key) for key in MEANS)]
        differences = [paired_difference(entries, reference, key) for key in ('miou', 'colour')]
        rows.append(row + [d.text(100, sign='+') if name != REFERENCE else '' for d in differences])
    return markdown(rows) if variants else None


def ablation(variants: Variants) -> Optional[str]:
    """Rows of the paper's ablation: what each adds to which, as published and here."""
    rows = [['row', 'adds', 'to', 'mIoU as published, real ScanNet', 'gain', 'mIoU here, generated rooms', 'gain']]
    for name, (adds, to, published) in PUBLISHED.items():
        if name not in variants:
            continue
        gains = ['', '']
        if to is not None:
            gains = [f'{published - PUBLISHED[to][-1]:+.1f}',
                     paired_difference(variants[name], variants.get(to, {}), 'miou').text(100, sign='+')]
        row = [name, adds, to or '', f'{published:.1f}', gains[0], _spread(variants[name], 'miou'), gains[1]]
        rows.append(row)
    return markdown(rows) if len(rows) > 1 else None


def classes(variants: Variants) -> Optional[str]:
    """IoU of each class of the three systems; those that only colour tells from the wall first."""
    systems = [name for name in SYSTEMS if name in variants]
    rows = [['class', *systems]]
    for label in sorted(CLASSES, key=lambda name: name not in GROUPS['colour']):
        spreads = [Spread.of([entry['iou'][label] for entry in variants[name].values()]) for name in systems]
        rows.append([label, *(spread.text(100) for spread in spreads)])
    return markdown(rows) if systems else None


def image_network(variants: Variants) -> Optional[str]:
    """Sentence: scores of the image network over pixels."""
    entries = variants.get(VIEWS)
    if not entries:
        return None
    scores = ', '.join(f'{label} {_spread(entries, key)}' for key, label in MEANS.items())
    seeds = ', '.join(str(seed) for seed in sorted(entries))
    return f'The image network alone (`{VIEWS}`, seeds {seeds}), over pixels of the validation images: {scores}.'


def picture(path: Path, runs: list[dict], title: str) -> Path:
    """Bars of the means over seeds, a dot per seed; IoU in percent."""
    return draw_bars(path, by_variant(runs, [name for name in VARIANTS if name != VIEWS]), MEANS, title)


def _spread(entries: dict[int, dict], key: str) -> str:
    return Spread.of([entry[key] for entry in entries.values()]).text(100)
