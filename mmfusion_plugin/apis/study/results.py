"""Finished runs of a study in one JSON file, which a stopped study continues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmfusion_plugin.files import write_text


@dataclass(frozen=True)
class Run:
    """One training of a study."""

    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f'{self.variant}_seed{self.seed}'


def plan(variants: Sequence[str], seeds: Sequence[int]) -> list[Run]:
    """All runs; seed after seed, so that a stopped study has whole comparisons."""
    return [Run(variant, seed) for seed in seeds for variant in variants]


class Results:
    """Finished runs, and times, in a JSON file, written whole after each.

    Args:
        path: The file; created with the first run.
        settings: What results depend on, as JSON knows it (lists, no tuples). ``digests`` among them holds a text per
            variant that changes with what this variant alone depends on.
        order: Variants in the order of the file's entries.
        digested: What the digests are of, for the message that one has changed.

    Attributes:
        runs: Entries of :func:`~mmfusion_plugin.apis.study.pool.run_all`, each with ``variant`` and ``seed``.
        timing: Entries of :func:`~mmfusion_plugin.apis.study.timing.time_all`, each with ``variant``.

    Raises:
        ValueError: The file holds results of other settings.
    """

    def __init__(self, path: Path, settings: dict, order: Sequence[str], digested: str = 'config') -> None:
        self.path, self.settings, self.order, self.digested = path, settings, list(order), digested
        content = json.loads(path.read_text()) if path.is_file() else {'settings': settings, 'runs': []}
        self.runs, self.timing = content['runs'], content.get('timing', [])
        different = self._differences(content['settings'])
        if different:
            raise ValueError(f'{path} holds runs of other settings ({", ".join(different)}): move it away')
        if content['settings'] != settings:
            self._save()

    def _differences(self, theirs: dict) -> list[str]:
        # A file may be older than the digests, or than a variant. What it holds without one is taken, this once, for
        # made with the settings of today: their digests are written in, and hold from then on.
        digests = theirs.get('digests', {})
        finished = {entry['variant'] for entry in [*self.runs, *self.timing]}
        changed = [name for name in finished if digests.get(name) not in (None, self.settings['digests'].get(name))]
        names = {*theirs, *self.settings} - {'digests'}
        others = [name for name in names if theirs.get(name) != self.settings.get(name)]
        return sorted(others) + [f'{self.digested} of {name}' for name in sorted(changed)]

    def done(self, run: Run) -> bool:
        """Whether the run is there."""
        return any((entry['variant'], entry['seed']) == (run.variant, run.seed) for entry in self.runs)

    def add(self, entry: dict) -> None:
        """Add a run, or replace it; the file keeps the order of seeds and variants."""
        key = entry['variant'], entry['seed']
        others = [old for old in self.runs if (old['variant'], old['seed']) != key]
        self.runs = sorted([*others, entry], key=lambda e: (e['seed'], self.order.index(e['variant'])))
        self._save()

    def add_timing(self, entry: dict) -> None:
        """Add the times of a variant, or replace them; the file keeps the order of variants."""
        others = [old for old in self.timing if old['variant'] != entry['variant']]
        self.timing = sorted([*others, entry], key=lambda e: self.order.index(e['variant']))
        self._save()

    def _save(self) -> None:
        lists = {'runs': self.runs, **({'timing': self.timing} if self.timing else {})}
        parts = [f'"settings": {json.dumps(self.settings)}']
        parts += [f'"{name}": [\n' + ',\n'.join(f'  {json.dumps(e)}' for e in lists[name]) + '\n]' for name in lists]
        write_text(self.path, '{' + ',\n '.join(parts) + '}\n')
