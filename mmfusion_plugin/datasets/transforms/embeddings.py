"""Loading what a network of another kind, such as CLIP's, made of a picture beforehand."""

from __future__ import annotations

from typing import Optional

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..damage import CorruptDataError
from ..embedding_files import KINDS, EmbeddingTable, read_embeddings

_NAMES = {'image': 'an image', 'shape': 'the true shape itself'}


@TRANSFORMS.register_module()
class LoadEmbedding(BaseTransform):
    """Look up the embedding of a picture in a file; see ``datasets.embedding_files`` for its format.

    The file is read once by each process that loads data, when the first sample is: 4 D bytes a vector of float32.

    Args:
        path: ``.npz`` file with ``keys`` (N,) and ``vectors`` (N, D), such as a gallery of ``tools/embed_shapes.py``.
        key: What a sample's key is, with keys of the sample in braces. By default ``03001627/1a04e3/00`` is the first
            view of a model; ``'{synset}/{model_id}'`` is for files with one vector per model.
        channels: D that the file must have; None takes any.
        kind: ``'image'`` or ``'shape'``: of what embeddings must be where the file says so, as a gallery does. Its
            embedding of a shape is of the true one, keyed as a model is: a network that is conditioned on it is told
            the answer, which ``'shape'`` asks for, say to see how far a perfect image network would get.

    Raises:
        ValueError: ``kind`` is unknown.
    """

    def __init__(
        self,
        path: str,
        key: str = '{synset}/{model_id}/{view:02d}',
        channels: Optional[int] = None,
        kind: str = 'image',
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f'kind must be one of {KINDS}, got {kind!r}')
        self.path, self.key, self.channels, self.kind = path, key, channels, kind
        self._table: Optional[EmbeddingTable] = None

    def transform(self, results: dict) -> dict:
        """Add ``embedding`` ``(D,)``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged, its vectors have another size, the sample lacks a part of the key, or the vector
                is of another kind.
            CorruptDataError: It has no vector for this sample.
        """
        if self._table is None:
            self._table = self._read()
        try:
            key = self.key.format(**results)
        except KeyError as error:
            raise ValueError(f'key {self.key!r} needs {error} of the sample, which has {sorted(results)}') from error
        row = self._table.rows.get(key)
        if row is None:
            known = ', '.join(map(repr, list(self._table.rows)[:2])) or 'none'
            raise CorruptDataError(f'{self.path} has no embedding {key!r} among {len(self._table.rows)} (the first: '
                                   f'{known}): embed all pictures, or set key to how they are named')
        self._check_kind(key, row)
        results['embedding'] = self._table.vectors[row]
        return results

    def _check_kind(self, key: str, row: int) -> None:
        found = None if self._table.kinds is None else str(self._table.kinds[row])
        if found not in (None, self.kind):
            raise ValueError(f'{key!r} in {self.path} is the embedding of {_NAMES[found]}, not of {_NAMES[self.kind]}: '
                             f'set key to what the file calls those, or kind={found!r} if you mean it')  # fmt: skip

    def _read(self) -> EmbeddingTable:
        table = read_embeddings(self.path)
        width = table.vectors.shape[1]
        if self.channels not in (None, width):
            raise ValueError(f'{self.path} holds embeddings of {width} dimensions, not of {self.channels}: set '
                             "channels and the denoiser's embed_dim to their width, or name another file")
        return table
