"""Means over seeds, their spread, and differences taken seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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


def by_variant(runs: list[dict], order: Sequence[str]) -> dict[str, dict[int, dict]]:
    """Entries per variant, in the given order, and seed; variants without a run are left out."""
    found = {name: {e['seed']: e for e in runs if e['variant'] == name} for name in order}
    return {name: entries for name, entries in found.items() if entries}


def paired_difference(entries: dict[int, dict], reference: dict[int, dict], key: str) -> Spread:
    """Spread of ``key`` minus the reference's of the same seed, over the seeds that both have."""
    seeds = [s for s in entries if s in reference and None not in (entries[s][key], reference[s][key])]
    return Spread.of([entries[seed][key] - reference[seed][key] for seed in seeds])
