"""What a walk over the files of a dataset has found."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Callable

from .damage import CorruptDataError, unreadable
from .transforms.loading import check_jpeg_ends

_PNG_START, _PNG_END = b'\x89PNG', b'IEND'


@dataclass
class Report:
    """Outcome of a walk.

    Attributes:
        files: Number of sound files, by kind.
        bytes: Their size in bytes, by kind.
        points: Number of points.
        samples: Number of samples.
        faults: One line for each damaged or missing file.
    """

    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    points: int = 0
    samples: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Sum up."""
        for kind in other.files:
            self.files[kind] = self.files.get(kind, 0) + other.files[kind]
            self.bytes[kind] = self.bytes.get(kind, 0) + other.bytes[kind]
        self.points += other.points
        self.samples += other.samples
        self.faults += other.faults

    def check(self, kind: str, path: str, load: Callable[[], object]) -> bool:
        """Load a file and count it, or list its fault.

        Args:
            kind: What it is.
            path: Where it is.
            load: Raises ``CorruptDataError`` where something is wrong.

        Returns:
            Whether it is sound.
        """
        self.files.setdefault(kind, 0)
        self.bytes.setdefault(kind, 0)
        try:
            load()
        except CorruptDataError as error:
            self.faults.append(str(error))
            return False
        self.files[kind] += 1
        self.bytes[kind] += os.path.getsize(path)
        return True


def look_at_ends(path: str) -> None:
    """Check the start and end of a JPEG or PNG without reading what lies between.

    Raises:
        CorruptDataError: The file is missing or cut short.
    """
    try:
        with open(path, 'rb') as file:
            start = file.read(4)
            file.seek(max(os.path.getsize(path) - 64, 0))
            end = file.read()
    except OSError as error:
        raise unreadable(path, error) from error
    if not path.lower().endswith('.png'):
        check_jpeg_ends(start[:2] + end, path)
    elif start != _PNG_START or _PNG_END not in end:
        raise CorruptDataError(f'{path} does not begin and end as a PNG does: it is damaged, make it again')
