"""Which shapes of a gallery are those in pictures, or which images are of a shape: ranked, and drawn."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from mmfusion_plugin.converters.binvox import read_binvox
from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.embedding_files import KINDS
from mmfusion_plugin.datasets.object_images import read_object_image
from mmfusion_plugin.datasets.photographs import Photograph, read_photograph
from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.shape_tiles import Tile, shape_tiles

from .embedding_inferencer import EmbeddingInferencer
from .gallery import Gallery
from .gallery_items import SUFFIX, shape_name
from .mask_sources import MaskSource
from .object_inferencer import ObjectOptions, drawable, mask_of
from .object_tiles import picture_tile
from .picture_entries import each_picture

_COLUMNS = 6


class Search(NamedTuple):
    """What is searched, and how.

    Attributes:
        inferencer: The model that made the gallery.
        gallery: See there.
        top: How many entries are listed for each query.
        find: ``'shape'`` or ``'image'``; None finds shapes for images and images for shapes.
        options: How pictures are read.
    """

    inferencer: EmbeddingInferencer
    gallery: Gallery
    top: int = 5
    find: Optional[str] = None
    options: ObjectOptions = ObjectOptions()


def retrieve(search: Search, sources: Sequence[Path], out_dir: Path, masks: Optional[MaskSource] = None) -> dict:
    """Look for each picture or shape in a gallery, print what is found, and draw it.

    Each gets ``<name>_found.png``; ``results.json`` lists everything. A ``model.binvox`` is called as its folder.

    Args:
        search: See there.
        sources: Pictures, folders of pictures, and ``.binvox`` files.
        out_dir: Where the files go; the structure of folders is kept.
        masks: Where the masks of pictures are, if they have any.

    Returns:
        The content of ``results.json``: ``gallery`` (what made it), ``queries`` (``query``, ``object``, ``find``,
        ``found`` with ``rank``, ``key``, ``category``, ``path`` and ``similarity``, and ``file``) and ``broken``.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no picture, the gallery has nothing of the wanted kind, or options do not go together.
    """
    if search.top < 1 or search.find not in (None, *KINDS):
        raise ValueError(f'need top of at least 1 and to find one of {KINDS}, got {search.top} and {search.find!r}')
    masks = masks or MaskSource()
    queries = _queries(sources, out_dir, masks)
    for kind in {_sought(search, query) for query in queries}:
        search.gallery.nearest(np.zeros(search.inferencer.width), kind, 1)  # an error before anything is written
    answer = partial(_answer, search, masks, out_dir)
    entries, broken = each_picture(queries, answer, _lines, 'query', unit='query', desc='Searching')
    summary = dict(gallery=search.gallery.made_by, queries=entries, broken=broken)
    write_text(out_dir / 'results.json', json.dumps(summary, indent=1) + '\n')
    return summary


def _queries(sources: Sequence[Path], out_dir: Path, masks: MaskSource) -> List[Photograph]:
    """Pictures and files of voxels, in this order."""
    shapes = [source for source in sources if source.suffix.lower() == SUFFIX]
    missing = next((path for path in shapes if not path.is_file()), None)
    if missing is not None:
        raise FileNotFoundError(f'there is no shape {missing}')
    pictures = [source for source in sources if source not in shapes]
    found = masks.photographs(pictures, out_dir) if pictures else []
    found += [Photograph(path, shape_name(path)) for path in shapes]
    names = [query.name for query in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f'two queries would both be called {twice!r} in the results: rename one, or run the command '
                         'for each')  # fmt: skip
    return found


def _is_shape(query: Photograph) -> bool:
    return query.path.suffix.lower() == SUFFIX


def _sought(search: Search, query: Photograph) -> str:
    return search.find or ('image' if _is_shape(query) else 'shape')


def _answer(search: Search, masks: MaskSource, out_dir: Path, query: Photograph) -> Dict[str, Any]:
    tile, vector, origin = _asked(search, query, masks)
    kind = _sought(search, query)
    rows, similarities = search.gallery.nearest(vector, kind, search.top)
    gallery, found, tiles = search.gallery, [], [tile]
    for rank, (row, similarity) in enumerate(zip(rows, similarities), 1):
        key, category, path = (str(texts[row]) for texts in (gallery.keys, gallery.categories, gallery.paths))
        found.append(dict(rank=rank, key=key, category=category, path=path, similarity=round(float(similarity), 6)))
        tiles.append(_drawn(f'{rank}. {category or "shape"}, {similarity:.3f}\n{key}', kind, path))
    title = f'{query.name}: the most similar of {int((gallery.kinds == kind).sum()):,} {kind}s, by cosine'
    file = shape_tiles(query.beside(out_dir, '_found.png'), tiles, _COLUMNS, title)
    return dict(query=str(query.path), object=origin, find=kind, found=found, file=str(file))


def _asked(search: Search, query: Photograph, masks: MaskSource) -> Tuple[Tile, np.ndarray, str]:
    """The query's panel, embedding, and where its object was found."""
    inferencer, title = search.inferencer, f'looked for\n{query.name}'
    if _is_shape(query):
        voxels = inferencer.read_shape(query.path)
        return Tile(title, voxels=voxels), inferencer.embed_shapes([voxels])[0], 'voxels'
    seen = inferencer.look_at(query.path, mask_of(query, masks, search.options), search.options)
    return picture_tile(title, seen.found), inferencer.embed_images([seen.sample])[0], seen.found.origin


def _drawn(title: str, kind: str, path: str) -> Tile:
    """An entry of the gallery, whose file may have gone."""
    try:
        if kind == 'shape':
            return Tile(title, voxels=read_binvox(path).occupied)
        return Tile(title, image=_picture(path))
    except (OSError, ValueError):
        return Tile(title, note='its file is not there' if not Path(path).is_file() else 'its file is damaged')


def _picture(path: str) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB."""
    try:
        return drawable(read_object_image(path))
    except CorruptDataError:  # without a plain background
        return read_photograph(Path(path))[..., ::-1]


def _lines(entry: Dict[str, Any]) -> str:
    """What is printed of a query."""
    rows = [f'{entry["query"]} (object by its {entry["object"]})']
    rows += [f'  {one["rank"]:>3}. {one["similarity"]:+.4f}  {one["category"]:<12} {one["key"]}'
             for one in entry['found']]  # fmt: skip
    return '\n'.join([*rows, f'  {entry["file"]}'])
