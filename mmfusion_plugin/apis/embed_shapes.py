"""Embed many shapes and images into a gallery; a stopped run goes on where it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.datasets.damage import CorruptDataError

from .embedding_inferencer import EmbeddingInferencer
from .gallery import Gallery, read_gallery, write_gallery
from .gallery_items import Item
from .picture_entries import file_digest

_SAVE_EVERY = 60.0  # seconds


class EmbeddedItems(NamedTuple):
    """What came of it.

    Attributes:
        gallery: Of all that could be read.
        kept: How many embeddings were there from an earlier run.
        broken: What could not be read, and why.
    """

    gallery: Gallery
    kept: int
    broken: List[Tuple[str, str]]


def embed_items(
    inferencer: EmbeddingInferencer, items: Sequence[Item], out: Path, checkpoint: str = '', batch_size: int = 64
) -> EmbeddedItems:
    """Embed shapes and images and write them to ``out``.

    What an earlier run made by the same weights of the same files is kept. While it runs, ``<out>.part.npz`` has what
    is done; ``out`` appears, or is replaced, at the end. Only galleries are replaced.

    Args:
        inferencer: The model.
        items: In the order of the gallery.
        out: The gallery's file, ``.npz``.
        checkpoint: Written into the gallery.
        batch_size: Items that pass the network together.

    Raises:
        ValueError: ``out`` has another ending, or is there and no gallery; or nothing could be read.
    """
    if out.suffix != '.npz' or batch_size < 1:
        raise ValueError(f'need an --out that ends in .npz and a batch of at least 1, got {out} and {batch_size}')
    made_by = dict(config=inferencer.name, checkpoint=str(checkpoint), weights=inferencer.digest,
                   pipeline=str(inferencer.steps))  # fmt: skip
    partial, broken = out.with_suffix('.part.npz'), []
    digests = {item: digest for item, digest in _digests(items, broken)}
    vectors = _known(made_by, (out, partial), digests)
    kept, saved = len(vectors), time.monotonic()
    missing = [item for item in digests if item not in vectors]
    with tqdm(total=len(missing), unit='item', desc='Embedding') as bar:
        for batch in _batches(missing, batch_size):
            vectors.update(_embed(inferencer, batch, broken))
            bar.update(len(batch))
            if time.monotonic() - saved > _SAVE_EVERY:
                write_gallery(partial, _gathered(digests, vectors, made_by))
                saved = time.monotonic()
    if not vectors:
        raise ValueError(f'nothing could be embedded: {broken[0][1]}' if broken else 'there is nothing to embed')
    gallery = _gathered(digests, vectors, made_by)
    write_gallery(out, gallery)
    partial.unlink(missing_ok=True)
    return EmbeddedItems(gallery, kept, broken)


def _embed(
    inferencer: EmbeddingInferencer, batch: Sequence[Item], broken: List[Tuple[str, str]]
) -> Dict[Item, np.ndarray]:
    """Vectors of items of one kind; what cannot be read is noted."""
    read: Dict[Item, Any] = {}
    for item in batch:
        try:
            read[item] = (inferencer.read_shape(item.path) if item.kind == 'shape'
                          else inferencer.pack(inferencer.load(item.entry)))  # fmt: skip
        except CorruptDataError as error:
            broken.append((item.path, str(error)))
    if not read:
        return {}
    network = inferencer.embed_shapes if batch[0].kind == 'shape' else inferencer.embed_images
    return dict(zip(read, network(list(read.values()))))


def _batches(items: Sequence[Item], size: int) -> Iterator[List[Item]]:
    for kind in ('shape', 'image'):
        chosen = [item for item in items if item.kind == kind]
        for begin in range(0, len(chosen), size):
            yield chosen[begin : begin + size]


def _digests(items: Sequence[Item], broken: List[Tuple[str, str]]) -> Iterator[Tuple[Item, str]]:
    """By which a changed file is known."""
    for item in items:
        try:
            yield item, file_digest(item.path)
        except OSError as error:
            broken.append((item.path, f'{item.path} cannot be read ({error.strerror}): put it back, or name others'))


def _known(made_by: Dict[str, Any], paths: Sequence[Path], digests: Dict[Item, str]) -> Dict[Item, np.ndarray]:
    """Vectors of an earlier run that would be made again."""
    rows: Dict[Tuple[str, str, str], np.ndarray] = {}
    for path in paths:
        try:
            found = read_gallery(path)
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise ValueError(f'{path} is there, is no gallery and would be replaced: name another --out, or move it '
                             'away') from error  # fmt: skip
        if all(found.made_by.get(name) == made_by[name] for name in ('weights', 'pipeline')):
            rows.update(zip(zip(found.kinds, found.keys, found.digests), found.vectors))
    known = {item: rows.get((item.kind, item.key, digest)) for item, digest in digests.items()}
    return {item: vector for item, vector in known.items() if vector is not None}


def _gathered(digests: Dict[Item, str], vectors: Dict[Item, np.ndarray], made_by: Dict[str, Any]) -> Gallery:
    """In the order of the items."""
    done = [item for item in digests if item in vectors]
    texts = {f'{name}s': np.array([getattr(item, name) for item in done]) for name in ('key', 'kind', 'path', 'synset')}
    return Gallery(**texts, categories=np.array([item.category for item in done]),
                   digests=np.array([digests[item] for item in done]),
                   vectors=np.stack([vectors[item] for item in done]), made_by=made_by)  # fmt: skip
