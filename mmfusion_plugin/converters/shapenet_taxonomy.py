"""The 13 categories of ShapeNet that 3D-R2N2 rendered: ids and the names in use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple


@dataclass(frozen=True)
class Category:
    """A category.

    Attributes:
        synset: WordNet's id, the name of its folders.
        name: As ``ShapeNet.json`` has it.
        aliases: As other projects have it.
    """

    synset: str
    name: str
    aliases: Tuple[str, ...] = ()


CATEGORIES = (
    Category('02691156', 'aeroplane', ('airplane', 'plane')),
    Category('02828884', 'bench'),
    Category('02933112', 'cabinet'),
    Category('02958343', 'car'),
    Category('03001627', 'chair'),
    Category('03211117', 'display', ('monitor',)),
    Category('03636649', 'lamp'),
    Category('03691459', 'loudspeaker', ('speaker',)),
    Category('04090263', 'rifle'),
    Category('04256520', 'sofa', ('couch',)),
    Category('04379243', 'table'),
    Category('04401088', 'telephone', ('cellphone',)),
    Category('04530566', 'watercraft', ('vessel', 'boat')),
)
#: The five that CISP is trained on.
CISP_CATEGORIES = ('aeroplane', 'car', 'chair', 'table', 'watercraft')

_BY_NAME = {key: category for category in CATEGORIES for key in (category.synset, category.name, *category.aliases)}


def chosen_categories(names: Optional[Sequence[str]] = None) -> List[Category]:
    """Categories by synset id, name or alias, in the order of ``CATEGORIES``; all of them when None.

    Raises:
        ValueError: A name is unknown, or there is none.
    """
    if names is None:
        return list(CATEGORIES)
    unknown = [name for name in names if name not in _BY_NAME]
    if unknown or not names:
        raise ValueError(f'categories {unknown or names} are unknown; choose among {", ".join(sorted(_BY_NAME))}')
    wanted = {_BY_NAME[name].synset for name in names}
    return [category for category in CATEGORIES if category.synset in wanted]


def synset_of(name: str) -> str:
    """Synset id of a name or alias; any id of eight digits stands for itself, one of the other categories too.

    Raises:
        ValueError: The name is unknown.
    """
    if name in _BY_NAME:
        return _BY_NAME[name].synset
    if is_synset(name):
        return name
    raise ValueError(
        f'category {name!r} is unknown; choose among {", ".join(sorted(_BY_NAME))}, or give a synset id'
    )


def category_name(synset: str) -> str:
    """Name of a category; of one that is not among the 13, its id."""
    return _BY_NAME[synset].name if synset in _BY_NAME else synset


def is_synset(text: object) -> bool:
    """Whether ``text`` is written as a synset id: eight digits."""
    return isinstance(text, str) and re.fullmatch('[0-9]{8}', text) is not None
