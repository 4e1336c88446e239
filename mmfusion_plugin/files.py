"""Files that are either the old or the new version, whenever the process is killed or the machine loses power."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

PARTIAL_SUFFIX = '.partial'


def commit(partial: str | os.PathLike, final: str | os.PathLike) -> None:
    """Put the finished file ``partial`` in the place of ``final``, in the same folder.

    The content reaches the disk before the name does, and the name before this function returns.
    """
    with open(partial, 'rb+') as file:
        os.fsync(file.fileno())
    os.replace(partial, final)
    folder = os.open(Path(final).parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Path to write to instead of ``path``; takes its place when the block ends without an error.

    The folder is created. After an error nothing is left behind and an existing ``path`` is unchanged. Processes may
    write the same file at once: one of the complete versions stays.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f'.{final.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}')  # unique across hosts as well
    try:
        yield partial
        commit(partial, final)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
        raise


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader never sees a part of it."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding='utf-8')


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader never sees a part of it."""
    with whole_file(path) as partial:
        partial.write_bytes(data)
