"""Who trains and who tests among ShapeNet's models: 3D-LMNet's split, which ReConstNet shares, and CISP's.

They were drawn apart: what one trains on the other may test on.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from mmfusion_plugin.converters.shapenet_taxonomy import category_name, is_synset, synset_of

#: Parts of each split. 3D-LMNet has no test set of its own: it tests on ``val``.
PARTS = {'lmnet': ('train', 'val'), 'cisp': ('train', 'val', 'test')}
#: Names of their files, and the folders in which they lie in the authors' repositories and here.
FILES = {'lmnet': '{part}_models.json', 'cisp': 'ShapeNet.json'}
FOLDERS = ('', 'splits', 'data/splits', 'data', 'dataset')
# Of a model: one part of a path, which never leads anywhere else.
_MODEL_ID = re.compile(r'[A-Za-z0-9_][\w.-]*', re.ASCII)


class ModelKey(NamedTuple):
    """A model of ShapeNet: the synset id of its category, and its own id."""

    synset: str
    model_id: str

    def __str__(self) -> str:
        return f'{self.synset}/{self.model_id}'


def find_split(root: Path, split: str, part: str) -> Path:
    """File of a part of a split below ``root``.

    Raises:
        FileNotFoundError: It is in none of the usual folders.
        ValueError: There is no such split or part.
    """
    check_part(split, part)
    name = FILES[split].format(part=part)
    for folder in FOLDERS:
        if (root / folder / name).is_file():
            return root / folder / name
    source = "3D-LMNet's split files" if split == 'lmnet' else "CISP's dataset/ShapeNet.json"
    raise FileNotFoundError(
        f'{name} is in none of {", ".join(str(root / folder) for folder in FOLDERS)}: put {source} there, or name the '
        'file in ann_file'
    )


def read_split(path: Path, split: str, part: str, categories: Optional[Sequence[str]] = None) -> List[ModelKey]:
    """Models of a part of a split, each once, in the order of the file.

    Args:
        path: ``lmnet``: an object of lists of ``"synset/id"`` by synset. ``cisp``: a list of objects with
            ``taxonomy_id``, ``taxonomy_name``, and lists of ids ``train``, ``val``, ``test``.
        split: ``'lmnet'`` or ``'cisp'``.
        part: ``'train'``, ``'val'``, or of CISP's split ``'test'``.
        categories: Synset ids, names or aliases to keep; None keeps all that the file has.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: It is no such file, or lacks a category.
    """
    check_part(split, part)
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the models of the {split} split, not found')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is no complete JSON file ({error}): download it again') from error
    lists = _lmnet(path, content) if split == 'lmnet' else _cisp(path, content, part)
    if categories is not None:
        wanted = [synset_of(name) for name in categories]
        lacking = [name for name, synset in zip(categories, wanted) if synset not in lists]
        if lacking:
            has = ', '.join(f'{category_name(synset)} ({synset})' for synset in lists)
            raise ValueError(f'{path} has no category {lacking[0]!r}, but {has or "none"}')
        lists = {synset: ids for synset, ids in lists.items() if synset in wanted}
    models = [ModelKey(synset, model_id) for synset, ids in lists.items() for model_id in ids]
    _check(path, models)
    return list(dict.fromkeys(models))


def check_part(split: str, part: str) -> None:
    """Check that a split has a part.

    Raises:
        ValueError: It has not, or there is no such split.
    """
    if split not in PARTS:
        raise ValueError(f'split must be {" or ".join(map(repr, PARTS))}, got {split!r}')
    if part not in PARTS[split]:
        hint = ": 3D-LMNet tests on 'val'" if (split, part) == ('lmnet', 'test') else ''
        raise ValueError(f'part of split {split!r} must be one of {", ".join(PARTS[split])}, got {part!r}{hint}')


def _lmnet(path: Path, content: Any) -> Dict[str, List[str]]:
    if not isinstance(content, dict) or not all(isinstance(names, list) for names in content.values()):
        raise ValueError(f'{path} must hold lists of "synset/id" by synset, as 3D-LMNet\'s train_models.json does')
    for synset, names in content.items():
        strange = [name for name in names if not (isinstance(name, str) and name.startswith(f'{synset}/'))]
        if strange:
            raise ValueError(f'{path}: {strange[0]!r} among the models of {synset}; need "{synset}/<id>"')
    return {synset: [name.split('/', 1)[1] for name in names] for synset, names in content.items()}


def _cisp(path: Path, content: Any, part: str) -> Dict[str, List[str]]:
    rows = content if isinstance(content, list) else []
    if not rows or not all(isinstance(row, dict) and isinstance(row.get(part), list) for row in rows):
        raise ValueError(
            f'{path} must hold a list of objects with taxonomy_id and {part}, as ShapeNet.json of CISP and Pix2Vox does'
        )
    synsets = [row.get('taxonomy_id') for row in rows]
    if len(set(map(str, synsets))) < len(synsets):
        raise ValueError(f'{path} has a category twice: {", ".join(sorted(map(str, synsets)))}')
    return {str(row.get('taxonomy_id', '')): row[part] for row in rows}


def _check(path: Path, models: Sequence[ModelKey]) -> None:
    for model in models:
        if not is_synset(model.synset):
            raise ValueError(f'{path}: {model.synset!r} is no synset id, which has eight digits')
        if not (isinstance(model.model_id, str) and _MODEL_ID.fullmatch(model.model_id)):
            raise ValueError(f'{path}: {model.model_id!r} of {model.synset} is no id of a model')
