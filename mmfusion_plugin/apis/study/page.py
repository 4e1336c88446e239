"""A study's figures as Markdown, and their place in a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmfusion_plugin.files import write_text


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    lines = [f'| {" | ".join(row)} |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]])


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


def write_into(page: Path, name: str, text: str) -> None:
    """Put ``text`` between the markers ``<!-- results NAME: begin -->`` and ``end`` in a Markdown page.

    Raises:
        ValueError: The page has not exactly one pair of them.
    """
    begin, end = f'<!-- results {name}: begin -->', f'<!-- results {name}: end -->'
    between = re.compile(f'(?<={re.escape(begin)}\n).*?(?={re.escape(end)})', re.S)
    new, count = between.subn(lambda _: f'\n{text}\n\n', page.read_text())
    if count != 1:
        raise ValueError(f'{page} has {count} pairs of the lines {begin} and {end}; it needs one')
    write_text(page, new)
