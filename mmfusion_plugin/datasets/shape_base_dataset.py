"""What datasets of pictures and shapes share: the rule for missing files, and damaged samples that are counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from os import path as osp
from typing import Any, Optional, Sequence

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from tqdm import tqdm

from .damage_tolerant import DamageTolerant

_MISSING = ('error', 'skip', 'keep')
_SHOWN = 3


class ShapeDataset(DamageTolerant, BaseDataset, ABC):
    """Pictures of one object each, with its shape.

    Args:
        missing: Of samples whose files are not there: ``'error'``, ``'skip'`` them (counted in ``left_out`` and
            logged), or ``'keep'`` them without looking: each is an error when it is loaded.
            Files are looked for by name; ``tools/check_data.py`` finds those that are there but damaged.
        max_corrupt_fraction: Share of the samples that training may skip as their files are damaged; in evaluation a
            damaged sample is an error that names the file.
        kwargs: Of ``mmengine.dataset.BaseDataset``.

    Attributes:
        left_out: Number of samples that are not in the dataset, by reason.
        damage: Account of the damaged samples.
    """

    REMEDY = 'unpack or download them'

    def __init__(self, *, missing: str = 'error', max_corrupt_fraction: float = 0.001, **kwargs: Any) -> None:
        if missing not in _MISSING:
            raise ValueError(f'missing must be one of {", ".join(_MISSING)}, got {missing!r}')
        self.missing, self.max_corrupt_fraction = missing, max_corrupt_fraction
        self.left_out: Counter[str] = Counter()
        super().__init__(**kwargs)

    @abstractmethod
    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Names of the categories, and the entries of all samples, each with its ``category``."""

    @abstractmethod
    def files_of(self, entry: dict) -> list[str]:
        """Paths of the files that an entry cannot do without."""

    def lost_file(self, entry: dict) -> Optional[str]:
        """The first of an entry's files that is not there; None where all are."""
        return next((path for path in self.files_of(entry) if not osp.isfile(path)), None)

    def load_data_list(self) -> list[dict]:
        """Entries of the samples that are kept.

        Raises:
            FileNotFoundError: Files are missing, with ``missing='error'``.
            ValueError: No sample is left.
        """
        self.left_out.clear()
        classes, entries = self.find_samples()
        self._metainfo['classes'] = tuple(classes)
        if self.missing != 'keep':
            entries = self._with_files(entries)
        if not entries:
            raise ValueError(f'{self.data_root} has no sample to use; left out: {dict(self.left_out) or "none"}')
        lines = [f'{len(entries)} entries of {len(classes)} categories']
        lines += [f'{count} left out: {reason}' for reason, count in self.left_out.items()]
        print_log(f'{type(self).__name__} {self.data_root}: ' + '; '.join(lines), 'current')
        return entries

    def get_cat_ids(self, idx: int) -> list[int]:
        """Category of a sample in a list, for samplers and wrappers that balance categories."""
        return [self._metainfo['classes'].index(self.get_data_info(idx)['category'])]

    def _with_files(self, entries: list[dict]) -> list[dict]:
        bar = tqdm(entries, unit='entry', desc='Looking for files', disable=len(entries) < 5000)
        lost: dict[int, str] = {}
        for place, entry in enumerate(bar):
            path = self.lost_file(entry)
            if path is not None:
                lost[place] = path
        if lost and self.missing == 'error':
            shown = '\n  '.join(list(lost.values())[:_SHOWN])
            raise FileNotFoundError(
                f'{len(lost)} of {len(entries)} entries lack files: {self.REMEDY}, or set missing=\'skip\' to leave '
                f'them out; tools/check_data.py names all of them, and damaged ones too. The first files:\n  {shown}'
            )
        if lost:
            self.left_out['files are missing'] = len(lost)
        return [entry for place, entry in enumerate(entries) if place not in lost]
