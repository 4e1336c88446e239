"""Scores of reconstructions per category: as a table, CSV and Markdown, each with its protocol."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Sequence

from terminaltables import AsciiTable

from mmfusion_plugin.files import write_text

SIZES = ('predicted_points', 'true_points', 'drawn')
IDENTITY = ('synset', 'category', 'model_id', 'view', 'azimuth', 'img_path', *SIZES)
"""Columns of a record that say what was reconstructed; all others are scores."""
OVER_CATEGORIES, OVER_SAMPLES = 'mean over categories', 'mean over samples'
_TITLES = dict(cd='CD', emd='EMD', f_score='F-score')
Record = dict[str, Any]


def summarise(records: Sequence[Record]) -> list[Record]:
    """Means per category, then over categories and over samples.

    Args:
        records: One per sample: ``IDENTITY`` (values may be None) and floats.

    Returns:
        Rows of ``category``, ``synset``, ``samples`` (their number) and the means, ordered by synset, then category.

    Raises:
        ValueError: There is no record, or they differ in what was scored.
    """
    scores = [key for key in records[0] if key not in IDENTITY] if records else []
    if not scores or any(set(record) != set(records[0]) for record in records):
        raise ValueError('there is nothing to summarise, or samples differ in their scores: draw clouds (pred_samples) '
                         'of all images or of none')
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((str(record['synset'] or ''), str(record['category'] or '')), []).append(record)
    rows = [{'category': name or synset or 'all', 'synset': synset, **_means(group, scores)}
            for (synset, name), group in sorted(groups.items())]  # fmt: skip
    across = {**_means(rows, scores), 'samples': len(records)}
    return [*rows, {'category': OVER_CATEGORIES, 'synset': '', **across},
            {'category': OVER_SAMPLES, 'synset': '', **_means(records, scores)}]  # fmt: skip


def sizes(records: Sequence[Record]) -> str:
    """Of how many points the clouds are, and of how many clouds ``mean`` and ``best`` are taken."""
    predicted, true, drawn = (_range({record[key] for record in records}) for key in SIZES)
    clouds = f'{predicted} predicted and {true} true points'
    return clouds if drawn == '0' else f'{clouds}; {drawn} clouds drawn per image'


def as_table(rows: Sequence[Record], protocol: str) -> str:
    """Text for a terminal: the rows of :func:`summarise` above the protocol."""
    return f'{AsciiTable(_cells(rows)).table}\n{protocol}'


def as_markdown(rows: Sequence[Record], protocol: str) -> str:
    """The same for a README."""
    head, *body = ('| ' + ' | '.join(cells) + ' |' for cells in _cells(rows))
    rule = '|' + '---|' * len(_cells(rows)[0])
    return '\n'.join([head, rule, *body, '', protocol, ''])


def as_csv(rows: Sequence[Record]) -> str:
    """All columns of the rows, in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_report(folder: str | Path, records: Sequence[Record], rows: Sequence[Record], protocol: str) -> None:
    """``categories.csv``, ``categories.md`` (with the protocol) and ``samples.csv``, one row per sample."""
    for name, text in (('categories.csv', as_csv(rows)), ('categories.md', as_markdown(rows, protocol)),
                       ('samples.csv', as_csv(records))):  # fmt: skip
        write_text(Path(folder) / name, text)


def _means(group: Sequence[Record], scores: Sequence[str]) -> Record:
    return {'samples': len(group), **{key: sum(row[key] for row in group) / len(group) for key in scores}}


def _cells(rows: Sequence[Record]) -> list[list[str]]:
    """Head and body with two decimals."""
    scores = [key for key in rows[0] if key not in ('category', 'synset', 'samples')]
    body = [[row['category'], str(row['samples']), *(f'{row[key]:.2f}' for key in scores)] for row in rows]
    return [['category', 'samples', *map(_title, scores)], *body]


def _range(values: set[int]) -> str:
    return f'{min(values)}' if len(values) == 1 else f'{min(values)} to {max(values)}'


def _title(score: str) -> str:
    """``cd_best`` is ``CD best``."""
    for key, title in _TITLES.items():
        if score == key or score.startswith(f'{key}_'):
            return f'{title}{score[len(key):]}'.replace('_', ' ')
    return score
