"""What happens to a damaged file: an error that names it, and in training a ledger that bounds how many are skipped."""

from __future__ import annotations

import logging
import multiprocessing
from typing import Any, Optional

import numpy as np
from mmengine.dist import get_world_size
from mmengine.logging import print_log


class CorruptDataError(ValueError):
    """A data file is missing, truncated or does not fit its neighbours; the message names it and the remedy."""


class TooManyCorruptSamples(RuntimeError):
    """More samples are damaged than training may skip."""


_UNREAD, _SOUND, _DAMAGED = range(3)


class DamageLedger:
    """Damaged samples met so far, shared by all data loading workers of a process.

    The ledger holds the state of each sample in shared memory, so that a sample counts once however many epochs,
    workers or retries meet it: the share of damaged ones is the share of an epoch that was lost. In distributed
    training each rank keeps its own and reads one part of the data in the first epoch, others later: damage is compared
    with the samples that this rank has read, and at least with its part of an epoch.

    Args:
        size: Number of samples in the dataset.
        max_fraction: Largest share of an epoch that may be skipped; 0 stops at the first damaged sample.
        ranks: Number of processes that share an epoch; None asks ``torch.distributed``.
    """

    def __init__(self, size: int, max_fraction: float, ranks: Optional[int] = None) -> None:
        if not 0 <= max_fraction <= 1:
            raise ValueError(f'max_corrupt_fraction must lie in 0..1, got {max_fraction}')
        self.max_fraction = max_fraction
        # Asked here, since processes that load data belong to no process group.
        self.ranks = get_world_size() if ranks is None else ranks
        self._states = multiprocessing.Array('b', max(size, 1))

    def __deepcopy__(self, memo: Optional[dict]) -> DamageLedger:
        # Shared memory cannot be copied by value; a copied dataset starts an account of its own.
        return DamageLedger(len(self._states), self.max_fraction, self.ranks)

    @property
    def count(self) -> int:
        """Number of damaged samples met so far."""
        return int((self._view() == _DAMAGED).sum())

    @property
    def base(self) -> int:
        """Number of samples that the damage is compared with."""
        return max(int((self._view() != _UNREAD).sum()), -(-len(self._states) // self.ranks))

    def record_sound(self, index: int) -> None:
        """Note that the sample at ``index`` was read; a damaged one stays damaged."""
        if self._states.get_obj()[index] == _UNREAD:
            self._states.get_obj()[index] = _SOUND

    def record(self, index: int, error: CorruptDataError) -> None:
        """Count and log a damaged sample.

        Args:
            index: Position in the dataset.
            error: What was found; logged when the sample is met for the first time.

        Raises:
            TooManyCorruptSamples: The share of damaged samples exceeds ``max_fraction``.
        """
        with self._states.get_lock():
            known = self._states[index] == _DAMAGED
            self._states[index] = _DAMAGED
            count, base = self.count, self.base
        if not known:
            print_log(f'Skipped sample {index} ({count} of {base} so far): {error}', 'current', logging.WARNING)
        if count > self.max_fraction * base:
            raise TooManyCorruptSamples(
                f'{count} of {base} samples ({count / base:.2%}) are damaged, more than max_corrupt_fraction='
                f'{self.max_fraction}. The last: {error}. tools/check_data.py lists all of them.'
            )

    def _view(self) -> np.ndarray:
        return np.frombuffer(self._states.get_obj(), dtype=np.int8)


def unreadable(path: str, error: OSError) -> CorruptDataError:
    """The error for a file that the system does not give."""
    if isinstance(error, FileNotFoundError):
        return CorruptDataError(f'{path} is missing: check data_root and data_prefix, or unpack it again')
    return CorruptDataError(f'{path} cannot be read ({error})')


def read_bytes(path: str, backend_args: Optional[dict[str, Any]] = None) -> bytes:
    """Content of a data file through mmengine's file backends.

    Raises:
        CorruptDataError: The file is missing or cannot be read.
    """
    from mmengine.fileio import get

    try:
        return get(path, backend_args=backend_args)
    except OSError as error:
        raise unreadable(path, error) from error
