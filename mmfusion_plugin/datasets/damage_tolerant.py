"""Datasets that skip damaged samples in training, up to a limit, and never in evaluation."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

from .damage import CorruptDataError, DamageLedger


class DamageTolerant:
    """Put before a ``BaseDataset`` of mmengine among the bases of a dataset, which sets ``max_corrupt_fraction`` before
    it initialises them.

    A damaged sample is one whose pipeline raises :class:`CorruptDataError`. It is counted and logged in training, where
    the run fails when more than ``max_corrupt_fraction`` of an epoch is damaged; in evaluation it is an error that
    names the file.

    Attributes:
        max_corrupt_fraction: Share of the samples that training may skip.
        damage: The account of damaged samples, from the moment on when the entries are read.
    """

    max_corrupt_fraction: float

    def full_init(self) -> None:
        """Read the entries and start the account of damaged samples."""
        if not self._fully_initialized:
            super().full_init()
            self._start_ledger()

    def get_subset_(self, indices: Union[Sequence[int], int]) -> None:
        """Keep some of the entries, as ``BaseDataset.get_subset_``; their damage is counted anew."""
        super().get_subset_(indices)
        self._start_ledger()

    def get_subset(self, indices: Union[Sequence[int], int]) -> Any:
        """Some of the entries, as ``BaseDataset.get_subset``, with an account of their damage."""
        subset = super().get_subset(indices)
        subset._start_ledger()
        return subset

    def prepare_data(self, idx: int) -> Optional[dict]:
        """Run the pipeline; None in training when the sample is damaged, for which another is drawn."""
        try:
            sample = super().prepare_data(idx)
        except CorruptDataError as error:
            if self.test_mode:
                raise
            self.damage.record(idx, error)
            return None
        self.damage.record_sound(idx)
        return sample

    def _start_ledger(self) -> None:
        self.damage = DamageLedger(len(self), self.max_corrupt_fraction)
