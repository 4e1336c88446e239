"""What a ShapeNet folder holds of each model, and what is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from tqdm import tqdm

from mmfusion_plugin.converters.shapenet_files import ShapeNetTree, read_viewpoints
from mmfusion_plugin.converters.shapenet_splits import FILES, PARTS, ModelKey, find_split, read_split
from mmfusion_plugin.converters.shapenet_taxonomy import category_name
from mmfusion_plugin.parallel import parallel_map

#: Kinds of files, as reports count them.
KINDS = ('renderings', 'viewpoints', 'voxels')


@dataclass
class ModelFiles:
    """What is there of a model.

    Attributes:
        model: Which.
        lacks: Names of missing files by kind: ``renderings``, ``viewpoints``, ``voxels``, ``points_1024``, ...
        faults: What is wrong with those that are there.
        present: Number of those that are there.
    """

    model: ModelKey
    lacks: Dict[str, List[str]] = field(default_factory=dict)
    faults: List[str] = field(default_factory=list)
    present: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong."""
        return not self.lacks and not self.faults


def find_models(
    root: Path, categories: Optional[Sequence[str]] = None
) -> Tuple[List[ModelKey], Dict[str, Dict[str, List[ModelKey]]]]:
    """Models that the split files below a folder name: all of them once, and by split and part.

    Raises:
        FileNotFoundError: There is no split file.
        ValueError: A split file is damaged, or names no model of the categories.
    """
    splits: Dict[str, Dict[str, List[ModelKey]]] = {}
    for split, parts in PARTS.items():
        for part in parts:
            try:
                path = find_split(root, split, part)
            except FileNotFoundError:
                continue
            splits.setdefault(split, {})[part] = read_split(path, split, part, categories)
    if not splits:
        raise FileNotFoundError(
            f'{root} holds no split: put train_models.json and val_models.json of 3D-LMNet into {root / "splits"}, or '
            f'{FILES["cisp"]} of CISP into {root}'
        )
    models = {model: None for parts in splits.values() for members in parts.values() for model in members}
    if not models:
        raise ValueError(f'the splits below {root} name no model of the categories asked for')
    return list(models), splits


def check_models(
    tree: ShapeNetTree, models: Sequence[ModelKey], views: int, sizes: Sequence[int], workers: int = 1
) -> List[ModelFiles]:
    """Look for the files of all models, by their names; only ``rendering_metadata.txt`` is read.

    Args:
        tree: Where they are.
        models: Of which.
        views: Pictures that each must have.
        sizes: Numbers of points of the clouds that each must have.
        workers: Number of processes.
    """
    look = partial(check_model, tree, views, tuple(sizes))
    found = parallel_map(look, models, workers)
    return list(tqdm(found, total=len(models), unit='model', desc='Looking for files', disable=None))


def check_model(tree: ShapeNetTree, views: int, sizes: Sequence[int], model: ModelKey) -> ModelFiles:
    """Look for the files of one model; arguments as in :func:`check_models`."""
    out = ModelFiles(model)
    wanted = {
        'renderings': [tree.picture(model, view) for view in range(views)],
        'viewpoints': [tree.viewpoints(model)],
        'voxels': [tree.binvox(model)],
        **{f'points_{size}': [tree.cloud(model, size)] for size in sizes},
    }
    there: Dict[Path, Dict[str, int]] = {}
    for kind, paths in wanted.items():
        for path in paths:
            if path.parent not in there:
                there[path.parent] = _listing(path.parent)
            if path.name not in there[path.parent]:
                out.lacks.setdefault(kind, []).append(path.name)
                continue
            out.present += 1
            if not there[path.parent][path.name]:
                out.faults.append(f'{path} is empty')
    if 'viewpoints' not in out.lacks:
        try:
            rows = len(read_viewpoints(tree.viewpoints(model)))
            if rows < views:
                out.faults.append(f'{tree.viewpoints(model)} has {rows} lines for {views} pictures')
        except ValueError as error:
            out.faults.append(str(error))
    return out


def coverage(files: Sequence[ModelFiles], sizes: Sequence[int]) -> List[dict]:
    """A row for each category: its synset, name, number of models, and how many have all files of each kind."""
    kinds = [*KINDS, *(f'points_{size}' for size in sizes)]
    rows: Dict[str, dict] = {}
    for item in files:
        synset = item.model.synset
        start = {'synset': synset, 'category': category_name(synset), 'models': 0, **dict.fromkeys(kinds, 0)}
        row = rows.setdefault(synset, start)
        row['models'] += 1
        for kind in kinds:
            row[kind] += kind not in item.lacks
    return list(rows.values())


def _listing(folder: Path) -> Dict[str, int]:
    """Sizes of the files in a folder by name; nothing when there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return {}
