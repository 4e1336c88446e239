"""The study's figures as the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence

from study_plan import (
    ABLATION,
    ATTENTION,
    COLOURS,
    FEW,
    FROM_UNET,
    MAIN,
    MASKED,
    OF_TRAITS,
    POINTS,
    REFERENCE,
    SHOTS,
    TRAIT,
    TRAITS,
    UNET,
    UNET_MASKS,
    VARIANTS,
    Variant,
)

from mmfusion_plugin.apis.study import Spread, by_variant, markdown, paired_difference, sharing

MEANS = {'accuracy': 'accuracy', 'f1': 'macro F1'}
Entries = dict[int, dict]


def tables(runs: list[dict]) -> str:
    """Markdown: each trait; dimensions and networks of points; ablations and attention; masks; few sheets; and how the
    runs were made. In percent, differences taken seed by seed; a table without a run is left out."""
    full = Variant('simnet').name
    parts = [
        rows_of(runs, 'trait', [Variant(system, trait) for trait in TRAITS for system in OF_TRAITS]),
        rows_of(runs, f'points ({TRAIT})', [Variant(system) for system in (*MAIN, *POINTS)]),
        rows_of(runs, f'changed ({TRAIT})', [Variant(name) for name in ('simnet', *ABLATION, *ATTENTION)], full),
        against_selected(runs, MASKED, 'complete'),
        against_selected(runs, FROM_UNET, 'unet'),
        unets(runs),
        few_shot(runs),
    ]
    trained = [entry for entry in runs if entry['variant'] == UNET or _is_training(entry['variant'])]
    return '\n\n'.join([*(part for part in parts if part), sharing(trained)])


def rows_of(runs: list[dict], title: str, variants: Sequence[Variant], reference: str = '') -> str:
    """A row per variant, with what it has over ``reference``, or over the image alone of the same trait."""
    found = by_variant(runs, list({entry['variant'] for entry in runs}))
    versus = 'simnet' if reference else REFERENCE
    rows = [[title, 'seeds', *MEANS.values(), *(f'{label} − {versus}' for label in MEANS.values())]]
    for variant in variants:
        if variant.name in found:
            base = reference or Variant(REFERENCE, variant.trait).name
            label = variant.name if title == 'trait' else variant.system
            rows.append(_row(label, found[variant.name], found.get(base, {}), variant.name == base))
    return markdown(rows) if len(rows) > 1 else ''


def against_selected(runs: list[dict], systems: Sequence[str], masks: str) -> str:
    """Other masks beside good ones, of the seeds that have both."""
    found = by_variant(runs, list({entry['variant'] for entry in runs}))
    names = [f'{label}, {kind}' for kind in ('selected', masks) for label in MEANS.values()]
    rows = [[f'masks ({TRAIT})', 'seeds', *names, *(f'{label}, {masks} − selected' for label in MEANS.values())]]
    for system in systems:
        good, other = (found.get(Variant(system, masks=kind).name, {}) for kind in ('selected', masks))
        seeds = sorted(good.keys() & other.keys())
        if seeds:
            good, other = ({seed: entries[seed] for seed in seeds} for entries in (good, other))
            figures = [_text(entries, key) for entries in (good, other) for key in MEANS]
            rows.append([system, ', '.join(map(str, seeds)), *figures, *_differences(other, good)])
    return markdown(rows) if len(rows) > 1 else ''


def unets(runs: list[dict]) -> str:
    """Sentence: how well the U-Nets find the good masks of the validation sheets."""
    entries = {entry['seed']: entry for entry in runs if entry['variant'] == UNET}
    scores = f'IoU {_text(entries, "iou")}, Dice {_text(entries, "dice")}'
    return f'U-Nets beside the good masks of the validation sheets: {scores}.' if entries else ''


def few_shot(runs: list[dict]) -> str:
    """Accuracy by the number of training sheets."""
    found = by_variant(runs, list({entry['variant'] for entry in runs}))
    rows = [[f'sheets of each class ({TRAIT})', *(f'{name}, accuracy' for name in FEW), f'simnet − {REFERENCE}']]
    for shots in (*SHOTS, None):
        entries = [found.get(Variant(system, shots=shots).name, {}) for system in FEW]
        if any(entries):
            difference = paired_difference(entries[1], entries[0], 'accuracy').text(100, 1, '+')
            rows.append([str(shots or 'all'), *(_text(each, 'accuracy') for each in entries), difference])
    return markdown(rows) if len(rows) > 2 else ''


def _is_training(name: str) -> bool:
    return name not in (UNET, UNET_MASKS) and VARIANTS[name].system != COLOURS


def _row(label: str, entries: Entries, reference: Entries, is_reference: bool) -> list[str]:
    if label.startswith(COLOURS):  # one value, which stands beside each seed of the reference
        seeds, paired = '–', {seed: entries[0] for seed in reference}
    else:
        seeds, paired = ', '.join(str(seed) for seed in sorted(entries)), entries
    row = [label, seeds, *(_text(entries, key) for key in MEANS)]
    return row + (['' for _ in MEANS] if is_reference else _differences(paired, reference))


def _differences(entries: Entries, reference: Entries) -> list[str]:
    return [paired_difference(entries, reference, key).text(100, 1, '+') for key in MEANS]


def _text(entries: Entries, key: str) -> str:
    return Spread.of([entry[key] for entry in entries.values()]).text(100, 1)
