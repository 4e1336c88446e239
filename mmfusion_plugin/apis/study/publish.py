"""What a study has found, printed and put into its project's page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .page import write_into
from .results import Results
from .timing import timing_table


def publish(page: Path, name: str, results: Results, parts: Sequence[str]) -> None:
    """Print ``parts`` (tables and pictures as Markdown) and the table of times, and put them into a page.

    Args:
        page: README with the markers of :func:`write_into`.
        name: In these markers: the study's size.
        results: For the times, if there are any.
        parts: In their order; none where no run is finished.

    Raises:
        ValueError: There is nothing to show, or the page has no place for it.
    """
    shown = [*parts, *([timing_table(results.timing)] if results.timing else [])]
    if not shown:
        raise ValueError(f'{results.path} holds no finished run: leave --table out')
    text = '\n\n'.join(shown)
    print(text)
    write_into(page, name, text)
