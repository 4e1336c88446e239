"""Embeddings in a file: an array of names and one of vectors, whatever network made them; a gallery has both, too.

Where there is an array of kinds, too, as in a gallery, it says whether a vector is of an image or of the shape itself.
"""

from __future__ import annotations

import zipfile
from typing import NamedTuple, Optional

import numpy as np

KINDS = ('shape', 'image')
REMEDY = 'write it with numpy.savez(path, keys=[...], vectors=...), or again if it was cut off'


class EmbeddingTable(NamedTuple):
    """Vectors by name.

    Attributes:
        rows: Row of each name.
        vectors: ``(N, D)`` float16, float32 or float64, finite.
        kinds: ``(N,)`` text, of what each is, see ``KINDS``; None where the file does not say.
    """

    rows: dict[str, int]
    vectors: np.ndarray
    kinds: Optional[np.ndarray] = None


def read_embeddings(path: str) -> EmbeddingTable:
    """Read a ``.npz`` file with ``keys`` ``(N,)``, text, and ``vectors`` ``(N, D)``, floating; nothing is unpickled.

    It may have ``kinds`` ``(N,)``, text.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is damaged or something else, the arrays do not fit together, a name stands in it twice, or a
            number is NaN or infinite.
    """
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            raise ValueError('an array alone, not keys and vectors')
        with content:
            lacking = {'keys', 'vectors'} - set(content.files)
            if lacking:
                raise ValueError(f'no array {" and no ".join(sorted(lacking))}, but {content.files}')
            keys, vectors = content['keys'], content['vectors']
            kinds = content['kinds'] if 'kinds' in content.files else None
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}, the file of the embeddings, not found: {REMEDY}') from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path} is no complete file of embeddings ({error}): {REMEDY}') from error
    if keys.ndim != 1 or keys.dtype.kind != 'U' or vectors.dtype.kind != 'f' or vectors.shape[:1] != keys.shape:
        raise ValueError(f'{path} must hold keys (N,), text, and vectors (N, D), floating, got {keys.dtype} '
                         f'{keys.shape} and {vectors.dtype} {vectors.shape}: {REMEDY}')
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors)).sum())
        raise ValueError(f'{path} must hold vectors (N, D) of finite numbers, got {vectors.shape}, {bad} of them '
                         'NaN or infinite')
    if kinds is not None and (kinds.shape != keys.shape or not set(kinds.tolist()) <= set(KINDS)):
        raise ValueError(f'{path} must hold kinds (N,) of {KINDS}, if any, got {kinds.dtype} {kinds.shape}: {REMEDY}')
    rows = {key: row for row, key in enumerate(keys.tolist())}
    if len(rows) != len(keys):
        names, counts = np.unique(keys, return_counts=True)
        raise ValueError(f'{path} has {str(names[counts > 1][0])!r} more than once: each key stands for one vector')
    return EmbeddingTable(rows, vectors, kinds)
