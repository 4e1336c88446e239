"""A gallery: embeddings of shapes and images, what they are of, and which weights made them, in one file.

It is an ``.npz`` without pickle. For each of N entries: ``keys`` (``<synset>/<model>``, of images
``<synset>/<model>/<view>``), ``kinds`` (``shape`` or ``image``), ``paths``, ``synsets``, ``categories`` and ``digests``
(of the files), all texts, and ``vectors`` (N, D) float32, not normalised. ``made_by`` is a JSON object: ``config``,
``checkpoint``, ``weights`` (a digest) and ``pipeline``. ``LoadEmbedding`` takes ``keys`` and ``vectors`` of it, for
models that are conditioned on embeddings out of a file.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple, Union

import numpy as np

from mmfusion_plugin.files import whole_file

from .embedding_inferencer import EmbeddingInferencer

_TEXTS = ('keys', 'kinds', 'paths', 'synsets', 'categories', 'digests')
_TOOL = 'tools/embed_shapes.py'


@dataclass(frozen=True, eq=False)
class Gallery:
    """See the head of this file; texts are arrays ``(N,)`` of str."""

    keys: np.ndarray
    kinds: np.ndarray
    paths: np.ndarray
    synsets: np.ndarray
    categories: np.ndarray
    digests: np.ndarray
    vectors: np.ndarray
    made_by: Dict[str, Any]

    def nearest(self, vector: np.ndarray, kind: str, count: int) -> Tuple[np.ndarray, np.ndarray]:
        """The entries of one kind that are most similar, the best first and equal ones in the gallery's order.

        Args:
            vector: ``(D,)``, of any length.
            kind: See ``KINDS`` of ``datasets.embedding_files``.
            count: How many; fewer where the gallery has not as many.

        Returns:
            Rows ``(count,)`` int64, and their cosines ``(count,)`` float64.

        Raises:
            ValueError: The gallery has none of this kind.
        """
        rows = np.flatnonzero(self.kinds == kind)
        if not len(rows):
            raise ValueError(f'the gallery holds no {kind}s: make it anew with {_TOOL}'
                             f'{" --images" if kind == "image" else ""}')  # fmt: skip
        cosines = _unit(self.vectors[rows]) @ _unit(vector)
        order = np.argsort(-cosines, kind='stable')[:count]
        return rows[order], cosines[order]

    def check_made_by(self, inferencer: EmbeddingInferencer, path: Path) -> None:
        """Refuse embeddings of another model.

        Raises:
            ValueError: They are of other weights; the text names the gallery and what made it.
        """
        width, made = self.vectors.shape[1], self.made_by
        if made.get('weights') == inferencer.digest and width == inferencer.width:
            return
        raise ValueError(f'{path} holds embeddings of {width} dimensions by {made.get("checkpoint")} of '
                         f'{made.get("config")} (weights {made.get("weights")}), not of {inferencer.width} by the '
                         f'checkpoint given (weights {inferencer.digest}): name that one, or make the gallery anew '
                         f'with {_TOOL}')  # fmt: skip


def write_gallery(path: Union[str, os.PathLike], gallery: Gallery) -> None:
    """Write a gallery, whole or not at all."""
    arrays = {name: np.asarray(getattr(gallery, name), dtype=str) for name in _TEXTS}
    made_by = np.array(json.dumps(gallery.made_by))
    with whole_file(path) as partial, open(partial, 'wb') as file:
        np.savez(file, vectors=gallery.vectors.astype(np.float32), made_by=made_by, **arrays)


def read_gallery(path: Union[str, os.PathLike]) -> Gallery:
    """Read a gallery; nothing in it is run.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is damaged, or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no gallery {path}: make it with {_TOOL}')
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (*_TEXTS, 'vectors')}
            made_by = json.loads(str(file['made_by']))
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ValueError(f'{path} is no gallery, or a damaged one ({reason}): make it with {_TOOL}') from error
    vectors = arrays['vectors']
    texts = all(arrays[name].shape == vectors.shape[:1] and arrays[name].dtype.kind == 'U' for name in _TEXTS)
    if vectors.ndim != 2 or vectors.dtype.kind != 'f' or not texts or not isinstance(made_by, dict):
        raise ValueError(f'{path} is no gallery: it must hold vectors (N, D) and {", ".join(_TEXTS)} of N each; make '
                         f'it with {_TOOL}')  # fmt: skip
    if not np.isfinite(vectors).all():
        raise ValueError(f'{path} holds embeddings that are NaN or infinite: look at the model that made it')
    return Gallery(**arrays, made_by=made_by)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Float64 of length 1, or 0."""
    wide = np.asarray(vectors, dtype=np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12)
