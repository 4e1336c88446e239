"""What a gallery is made of: the shapes and images of a dataset's split, or files of voxels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmdet3d.registry import DATASETS

from mmfusion_plugin.converters.shapenet_taxonomy import category_name, is_synset

from .image_inferencer import step_name
from .object_inferencer import ObjectInferencer

SUFFIX = '.binvox'


@dataclass(frozen=True, eq=False)
class Item:
    """A shape or an image that is to be embedded.

    Attributes:
        key: ``<synset>/<model>``, of an image ``<synset>/<model>/<view>``.
        kind: ``'shape'`` or ``'image'``.
        path: Of the file.
        synset: WordNet's id; '' where it is not known.
        category: Its name, or ''.
        entry: Of the dataset; empty for files.
    """

    key: str
    kind: str
    path: str
    synset: str
    category: str
    entry: Dict[str, Any]


def dataset_items(
    inferencer: ObjectInferencer,
    parts: Sequence[str] = (),
    images: bool = False,
    views: Optional[Sequence[int]] = None,
) -> List[Item]:
    """The shapes of the dataset that a config tests on, in its order, and then, if wanted, the images.

    Of several parts those of the first come first.

    Args:
        inferencer: Of the config.
        parts: Of the split, in place of the config's.
        images: Images, too.
        views: Numbers of the images' views in place of the config's; empty takes all.

    Raises:
        FileNotFoundError: Files are missing.
        ValueError: The dataset knows no such part, has no voxels, or has no samples; or something comes twice.
    """
    of_views: Dict[str, Any] = {} if views is None else {'views': list(views) or None}
    changes = [{**of_views, 'part': part} for part in parts] or [of_views]
    entries = [entry for more in changes for entry in _entries(inferencer, more)]
    shapes: Dict[str, Item] = {}
    for entry in entries:
        shapes.setdefault(_model(entry), _item(entry, 'shape'))
    pictures = [_item(entry, 'image') for entry in entries]
    counts = Counter(item.key for item in pictures)
    twice = next((key for key, count in counts.items() if count > 1), None)
    if twice is not None:
        raise ValueError(f'{twice} would stand in the gallery more than once: name each part of the split, and each '
                         'view, once')  # fmt: skip
    return [*shapes.values(), *(pictures if images else ())]


def _entries(inferencer: ObjectInferencer, more: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Of the dataset, with some arguments in place of the config's."""
    cfg = dict(inferencer.dataset_cfg)
    if more and step_name(cfg) != 'ShapeNetR2N2Dataset':
        raise ValueError(f'{inferencer.name} tests on a {step_name(cfg)}, which has neither parts nor views: leave out '
                         f'{" and ".join(sorted(more))}')  # fmt: skip
    dataset = DATASETS.build({**cfg, **more})
    entries = [dataset.get_data_info(place) for place in range(len(dataset))]
    if 'voxel_path' not in entries[0]:
        raise ValueError(f"{inferencer.name} tests on samples without voxels: set targets=['voxels'] in the dataset of "
                         'its test_dataloader')  # fmt: skip
    return entries


def file_items(sources: Sequence[Path]) -> List[Item]:
    """Shapes of ``.binvox`` files, and of folders with such, sorted within each.

    A file's key is its path below the folder that was given, without the ending, and without ``/model``, as
    ``ShapeNetVox32`` calls all its files; if that begins with a synset's id, the category is known.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: A file is none of voxels, a folder has none, or two files would have one key.
    """
    found: Dict[str, Item] = {}
    for source in map(Path, sources):
        for path, key in _files_below(source):
            synset = next((part for part in key.split('/')[:-1] if is_synset(part)), '')
            if key in found:
                raise ValueError(f'{found[key].path} and {path} would both be called {key!r} in the gallery: rename '
                                 'one, or make a gallery of each')  # fmt: skip
            found[key] = Item(key, 'shape', str(path), synset, category_name(synset) if synset else '', {})
    return list(found.values())


def shape_name(path: Path) -> str:
    """What a file of voxels is called: as its file, or, since ``ShapeNetVox32`` calls all ``model``, as its folder."""
    return path.resolve().parent.name if path.stem == 'model' else path.stem


def _files_below(source: Path) -> List[tuple]:
    """Paths and keys."""
    if source.is_file():
        if source.suffix.lower() != SUFFIX:
            raise ValueError(f'{source} is no file of voxels: need {SUFFIX} files, or folders of such')
        return [(source, shape_name(source))]
    if not source.is_dir():
        raise FileNotFoundError(f'{source} is neither a {SUFFIX} file nor a folder of such')
    paths = sorted(path for path in source.rglob('*') if path.suffix.lower() == SUFFIX and path.is_file())
    if not paths:
        raise ValueError(f'{source} has no {SUFFIX} file in it: name another folder')
    places = [path.relative_to(source).with_suffix('') for path in paths]
    return [(path, (place.parent if place.name == 'model' and place.parent.name else place).as_posix())
            for path, place in zip(paths, places)]  # fmt: skip


def _model(entry: Dict[str, Any]) -> str:
    return f'{entry["synset"]}/{entry["model_id"]}'


def _item(entry: Dict[str, Any], kind: str) -> Item:
    key, path = _model(entry), entry['voxel_path']
    if kind == 'image':
        key, path = f'{key}/{entry["view"]:02d}', entry['img_path']
    return Item(key, kind, str(path), str(entry['synset']), str(entry['category']), dict(entry))
