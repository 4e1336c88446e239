"""Pix3D's list of photographs, ``pix3d.json``, entry by entry, and where its files lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, FrozenSet, List, Optional, Sequence, Tuple

from mmfusion_plugin.converters.json_files import iter_json_array
from mmfusion_plugin.converters.shapenet_taxonomy import synset_of

ANNOTATIONS = 'pix3d.json'
#: What an entry says of an object that is not seen in full.
FLAGS = ('truncated', 'occluded', 'slightly_occluded')
#: The categories that 3D-LMNet and ReConstNet test on: those that ShapeNet's models have as well.
CATEGORIES = ('chair', 'sofa', 'table')
_TRUTH = {'true': True, 'false': False}


@dataclass(frozen=True)
class Pix3DEntry:
    """A photograph of an object.

    Attributes:
        number: Its place in ``pix3d.json``.
        category: As Pix3D has it.
        img: Photograph, relative to the dataset's folder, as all paths.
        mask: Where the object is.
        model: Its mesh.
        voxel: Its voxels.
        bbox: Columns and rows ``(x0, y0, x1, y1)`` of the object, pixels; the last ones are outside.
        flags: Those of ``FLAGS`` that are true of it.
    """

    number: int
    category: str
    img: str
    mask: str
    model: str
    voxel: str
    bbox: Tuple[int, int, int, int]
    flags: FrozenSet[str]

    @property
    def model_id(self) -> str:
        """Folder and name of the mesh: the same for all photographs of an object."""
        return str(PurePosixPath(self.model).with_suffix('').relative_to('model'))

    @property
    def synset(self) -> Optional[str]:
        """ShapeNet's id of the category; None where ShapeNet's 13 have none."""
        try:
            return synset_of(self.category)
        except ValueError:
            return None

    def cloud(self, size: int) -> str:
        """Cloud of ``size`` points, relative to the folder of clouds: ``pcl_<size><suffix>.npy`` beside the mesh.

        The suffix is what stands between ``model`` and ``.obj`` in the mesh's name (3D-LMNet, ``metrics.py``). Where
        there is no ``model`` in it, 3D-LMNet has no name; here it is the mesh's own after an underscore.
        """
        path = PurePosixPath(self.model)
        match = re.search('model(.*)', path.stem)
        return str(path.with_name(f'pcl_{size}{match.group(1) if match else "_" + path.stem}.npy'))


def read_entries(path: Path, categories: Optional[Sequence[str]] = CATEGORIES) -> List[Pix3DEntry]:
    """Entries of some categories, in the file's order.

    Args:
        path: ``pix3d.json``.
        categories: As Pix3D names them; None takes all.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: It is damaged, an entry lacks something, or no entry is of a category.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found: unpack pix3d.zip, and name its folder')
    entries, found = [], set()
    for number, row in enumerate(iter_json_array(path)):
        category = _get(path, number, row, 'category')
        found.add(category)
        if categories is None or category in categories:
            entries.append(_entry(path, number, row))
    lacking = sorted(set(categories or ()) - found)
    if lacking or not entries:
        raise ValueError(f'{path} has no photograph of category {lacking or "any"}, but {", ".join(sorted(found))}')
    return entries


def _entry(path: Path, number: int, row: dict) -> Pix3DEntry:
    files = {key: _get(path, number, row, key) for key in ('img', 'mask', 'model', 'voxel')}
    for key, name in files.items():
        parts, folder = PurePosixPath(name).parts, 'model' if key == 'voxel' else key
        if parts[:1] != (folder,) or '..' in parts:
            raise ValueError(f'{path}, entry {number}: {key} is {name!r}, need a path such as {folder}/chair/...')
    bbox = row.get('bbox')
    good = isinstance(bbox, (list, tuple)) and len(bbox) == 4 and all(type(edge) in (int, float) for edge in bbox)
    if not good or not (bbox[0] < bbox[2] and bbox[1] < bbox[3]):
        raise ValueError(f'{path}, entry {number} ({files["img"]}): bbox must be [x0, y0, x1, y1], got {bbox!r}')
    box = (int(bbox[0]), int(bbox[1]), int(bbox[2]), int(bbox[3]))
    flags = frozenset(flag for flag in FLAGS if _truth(path, number, flag, row.get(flag, False)))
    return Pix3DEntry(number, row['category'], bbox=box, flags=flags, **files)


def _get(path: Path, number: int, row: Any, key: str) -> str:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value:
        raise ValueError(f'{path}, entry {number}: {key!r} must be text, got {value!r}; download the file again')
    return value


def _truth(path: Path, number: int, flag: str, value: Any) -> bool:
    """A flag, which the release writes as true and false, and copies of it as "true" and "false"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUTH:
        return _TRUTH[value.strip().lower()]
    raise ValueError(f'{path}, entry {number}: {flag} must be true or false, got {value!r}')
