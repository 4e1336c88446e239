"""Scores of shapes per category: as a table, CSV and Markdown, each with its protocol."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from mmengine.logging import print_log
from terminaltables import AsciiTable

from mmfusion_plugin.files import write_text

from .sample_fields import SOURCE

SIZES = ('predicted_points', 'true_points', 'drawn')
WHOLE = ('predicted_of', 'true_of')
"""Numbers of points before clouds were thinned."""
IDENTITY = (*SOURCE, *SIZES, *WHOLE)
"""Columns of a record that say what was scored; all others are scores."""
OVER_CATEGORIES, OVER_SAMPLES = 'mean over categories', 'mean over samples'
_TITLES = dict(cd='CD', emd='EMD', iou='IoU', nna='1-NNA', cov='COV', mmd='MMD')
Record = dict[str, Any]


def publish(records: Sequence[Record], protocol: str, out_dir: Optional[str | Path] = None) -> Dict[str, float]:
    """Log the table, write the files, and name the means.

    Args:
        records: As for :func:`summarise`.
        protocol: What belongs under the table.
        out_dir: Folder of :func:`write_report`; None writes nothing.

    Returns:
        Scores as the mean over categories, ``*_overall`` over samples, and ``*_<category>`` of one; none where no
        sample has it.

    Raises:
        ValueError: As there.
    """
    rows = summarise(records)
    print_log('\n' + as_table(rows, protocol), logger='current')
    if out_dir is not None:
        write_report(out_dir, records, rows, protocol)
    *categories, mean, overall = rows
    named = [('', mean), ('_overall', overall), *((f"_{row['category']}", row) for row in categories)]
    return {f'{key}{suffix}': row[key] for suffix, row in named for key in _scores(records)
            if row[key] is not None}  # fmt: skip


def summarise(records: Sequence[Record]) -> list[Record]:
    """Means per category, then over categories and over samples.

    Args:
        records: One per sample: of ``IDENTITY`` what there is (values may be None), and scores; a sample that a score
            does not apply to has None and is left out of its means.

    Returns:
        Rows of ``category``, ``synset``, ``samples`` (their number) and the means, None where there is nothing to
        average, ordered by synset, then category.

    Raises:
        ValueError: There is no record, or they differ in what was scored.
    """
    scores = _scores(records)
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


def sizes(records: Sequence[Record]) -> tuple[str, bool]:
    """Of how many points the clouds are, and of how many clouds ``mean`` and ``best`` are taken.

    Args:
        records: With ``SIZES`` and ``WHOLE``.

    Returns:
        That, and whether any cloud was thinned.
    """
    parts, thinned = [], []
    for key, whole in zip(SIZES, WHOLE):
        thinned.append(any(record[key] < record[whole] for record in records))
        before = f' of {as_range({record[whole] for record in records})}' if thinned[-1] else ''
        parts.append(as_range({record[key] for record in records}) + before)
    clouds, drawn = f'{parts[0]} predicted and {parts[1]} true points', as_range({row['drawn'] for row in records})
    return clouds if drawn == '0' else f'{clouds}; {drawn} clouds drawn per image', any(thinned)


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


def _scores(records: Sequence[Record]) -> list[str]:
    return [key for key in records[0] if key not in IDENTITY] if records else []


def _means(group: Sequence[Record], scores: Sequence[str]) -> Record:
    means: Record = {'samples': len(group)}
    for key in scores:
        values = [row[key] for row in group if row[key] is not None]
        means[key] = sum(values) / len(values) if values else None
    return means


def _cells(rows: Sequence[Record]) -> list[list[str]]:
    """Head and body with two decimals."""
    scores = [key for key in rows[0] if key not in ('category', 'synset', 'samples')]
    body = [[row['category'], str(row['samples']),
             *('-' if row[key] is None else f'{row[key]:.2f}' for key in scores)] for row in rows]  # fmt: skip
    return [['category', 'samples', *map(_title, scores)], *body]


def as_range(values: set[int]) -> str:
    """``12``, or ``12 to 20``."""
    return f'{min(values)}' if len(values) == 1 else f'{min(values)} to {max(values)}'


def _title(score: str) -> str:
    """``cd_best`` is ``CD best``."""
    return ' '.join(_TITLES.get(word, word) for word in score.replace('f_score', 'F-score').split('_'))
