"""The study's figures as tables, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from study_plan import BASELINES, REFERENCE, SAMPLED, VARIANTS

from mmfusion_plugin.apis.study import Spread, by_variant, draw_bars, markdown, paired_difference, sharing

SCORES = {'cd': ('CD x100', 2), 'emd': ('EMD x100', 2), 'f_score': ('F-score (%)', 1)}
ROWS = {
    'cd': 'CD only',
    'cd-emd': 'CD + EMD',
    'diversity': 'CD + EMD, diversity',
    'psgn-mlp': 'CD + EMD, no Gaussian (PSGN-style MLP)',
    'mean-shape': 'mean shape',
    'nearest-image': 'nearest training image',
}
SEEN = {'front': 'from front', 'side': 'from the side', 'behind': 'from behind'}
Entries = dict[int, dict]


def tables(runs: list[dict]) -> str:
    """Markdown: means of each row; each category; how much samples differ; how it was scored and run. Differences are
    taken seed by seed; a table without a run is left out."""
    found = by_variant(runs, tuple(ROWS))
    drawn = by_variant(runs, tuple(SAMPLED.values()))
    scored = [entry for entries in found.values() for entry in entries.values()]
    parts = [means(found), *(categories(found, key) for key in SCORES), samples(drawn), protocols(scored)]
    trained = [entry for entry in runs if entry['variant'] in VARIANTS]
    return '\n\n'.join([*(part for part in parts if part), *([sharing(trained)] if trained else [])])


def means(found: dict[str, Entries]) -> Optional[str]:
    """A row per training and baseline: means over categories, and differences to :data:`REFERENCE`."""
    names = [name for name, _ in SCORES.values()]
    rows = [['trained with', 'seeds', *names, *(f'{name} − {ROWS[REFERENCE]}' for name in names)]]
    reference = found.get(REFERENCE, {})
    for name, entries in found.items():
        seeds = '–' if name in BASELINES else ', '.join(map(str, sorted(entries)))
        scores = [_spread(entries, key).text(100, digits) for key, (_, digits) in SCORES.items()]
        rows.append([ROWS[name], seeds, *scores, *_differences(name, entries, reference)])
    return markdown(rows) if found else None


def categories(found: dict[str, Entries], score: str) -> Optional[str]:
    """A score of each category."""
    title, digits = SCORES[score]
    rows = [[title, *(ROWS[name] for name in found)]]
    each = [list(entries.values()) for entries in found.values()]
    for category in each[0][0]['categories'] if each else ():
        spreads = [Spread.of([entry['categories'][category][score] for entry in entries]) for entries in each]
        rows.append([category, *(spread.text(100, digits) for spread in spreads)])
    return markdown(rows) if found else None


def samples(drawn: dict[str, Entries]) -> Optional[str]:
    """How much clouds drawn of one picture differ, and the code's standard deviation, by where the camera stands."""
    titles = [f'CD x100 between samples, seen {SEEN[side]}' for side in SEEN]
    rows = [['drawn by', 'seeds', *titles, 'behind − front', *(f'sigma, {SEEN[side]}' for side in SEEN)]]
    for name, drawn_name in SAMPLED.items():
        entries = drawn.get(drawn_name)
        if entries:
            distances = [_spread(entries, f'cd_{side}').text(100, 3) for side in SEEN]
            seen = [(entry['cd_behind'], entry['cd_front']) for entry in entries.values()]
            more = Spread.of([behind - front for behind, front in seen if None not in (behind, front)])
            sigmas = [_spread(entries, f'sigma_{side}').text(digits=3) for side in SEEN]
            seeds = ', '.join(map(str, sorted(entries)))
            rows.append([ROWS[name], seeds, *distances, more.text(100, 3, '+'), *sigmas])
    if len(rows) == 1:
        return None
    entry = next(iter(next(iter(drawn.values())).values()))
    counts = ', '.join(f'{entry[f"images_{side}"]} {SEEN[side]}' for side in SEEN)
    return f'{markdown(rows)}\n\n{entry["samples"]} clouds drawn of each picture; pictures: {counts}.'


def protocols(scored: list[dict]) -> Optional[str]:
    """Sentence: how the clouds were compared."""
    lines = dict.fromkeys(f'{entry["images"]} pictures; {entry["protocol"]}' for entry in scored)
    return '\n'.join(f'Scored: {line}.' for line in lines) or None


def picture(path: Path, runs: list[dict], title: str) -> Path:
    """Bars of both distances, a dot per seed."""
    names = {key: SCORES[key][0].split()[0] for key in ('cd', 'emd')}
    return draw_bars(path, by_variant(runs, tuple(ROWS)), names, title, 'Distance / diagonal')


def _differences(name: str, entries: Entries, reference: Entries) -> list[str]:
    if name == REFERENCE:
        return ['' for _ in SCORES]
    # A baseline's one value stands beside each seed of the reference.
    paired = {seed: entries[0] for seed in reference} if name in BASELINES else entries
    return [paired_difference(paired, reference, key).text(100, digits, '+') for key, (_, digits) in SCORES.items()]


def _spread(entries: Entries, key: str) -> Spread:
    return Spread.of([entry[key] for entry in entries.values()])
