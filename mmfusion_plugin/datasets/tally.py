"""Counting what is odd about samples without flooding the log."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from mmengine.logging import print_log


class Tally:
    """Counts by kind; each is logged at 1, 10, 100, ... Every process that loads data counts its own.

    Attributes:
        counts: Number of samples of each kind so far.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, example: str) -> None:
        """Count one more.

        Args:
            kind: What is odd and what is done about it, in the plural.
            example: Name of this sample.
        """
        self.counts[kind] += 1
        count = str(self.counts[kind])
        if count.strip('0') == '1':
            print_log(f'{count} so far in this process: {kind}; now {example}', 'current', logging.WARNING)


def sample_name(results: dict[str, Any]) -> str:
    """What to call a sample in a message: its image file, or its number."""
    return str(results.get('img_path') or f'sample {results.get("sample_idx")}')
