"""What stands in a generated room: ScanNet's raw categories with their ids, and the table that translates them."""

from __future__ import annotations

from typing import Dict, NamedTuple

UNANNOTATED = 0


class Category(NamedTuple):
    """A raw category: its id in 2D label images, and the NYU40 class that it belongs to."""

    raw_id: int
    nyu40_id: int
    nyu40_class: str


#: Raw category -> ids. Sources: raw ids from ScanNet's ``scannet200_constants.py``, NYU40 classes from its
#: ``scannetv2-labels.combined.tsv``. Raw and NYU40 ids differ nearly everywhere.
CATEGORIES: Dict[str, Category] = {
    'wall': Category(1, 1, 'wall'),
    'chair': Category(2, 5, 'chair'),
    'floor': Category(3, 2, 'floor'),
    'table': Category(4, 7, 'table'),
    'door': Category(5, 8, 'door'),
    'couch': Category(6, 6, 'sofa'),
    'cabinet': Category(7, 3, 'cabinet'),
    'desk': Category(9, 14, 'desk'),
    'office chair': Category(10, 5, 'chair'),
    'bed': Category(11, 4, 'bed'),
    'pillow': Category(13, 18, 'pillow'),
    'sink': Category(14, 34, 'sink'),
    'picture': Category(15, 11, 'picture'),
    'window': Category(16, 9, 'window'),
    'toilet': Category(17, 33, 'toilet'),
    'bookshelf': Category(18, 10, 'bookshelf'),
    'monitor': Category(19, 40, 'otherprop'),
    'curtain': Category(21, 16, 'curtain'),
    'armchair': Category(23, 5, 'chair'),
    'coffee table': Category(24, 7, 'table'),
    'box': Category(26, 29, 'box'),
    'refrigerator': Category(27, 24, 'refridgerator'),
    'lamp': Category(28, 35, 'lamp'),
    'kitchen cabinet': Category(29, 3, 'cabinet'),
    'tv': Category(33, 25, 'television'),
    'nightstand': Category(34, 32, 'night stand'),
    'counter': Category(35, 12, 'counter'),
    'plant': Category(40, 40, 'otherprop'),
    'ceiling': Category(41, 22, 'ceiling'),
    'bathtub': Category(42, 36, 'bathtub'),
    'dining table': Category(45, 7, 'table'),
    'keyboard': Category(46, 40, 'otherprop'),
    'tv stand': Category(51, 39, 'otherfurniture'),
    'whiteboard': Category(52, 30, 'whiteboard'),
    'shower curtain': Category(55, 28, 'shower curtain'),
    'trash can': Category(56, 39, 'otherfurniture'),
}

#: raw id -> raw category
NAMES: Dict[int, str] = {category.raw_id: name for name, category in CATEGORIES.items()}

_COLUMNS = (
    'id', 'raw_category', 'category', 'count', 'nyu40id', 'eigen13id', 'nyuClass', 'nyu40class', 'eigen13class',
    'ModelNet40', 'ModelNet10', 'ShapeNetCore55', 'synsetoffset', 'wnsynsetid', 'wnsynsetkey', 'mpcat40',
    'mpcat40index',
)  # fmt: skip


def raw_id(name: str) -> int:
    """Raw id of a category by name; 0 for '', which nobody annotated."""
    return CATEGORIES[name].raw_id if name else UNANNOTATED


def label_table() -> str:
    """Content of ``scannetv2-labels.combined.tsv`` for these categories, with all of its columns.

    Columns that only other taxonomies need are empty, as they are for many rows of the real file.
    """
    lines = ['\t'.join(_COLUMNS)]
    for name, (number, nyu40_id, nyu40_class) in CATEGORIES.items():
        filled = {
            'id': number, 'raw_category': name, 'category': name, 'count': 1, 'nyu40id': nyu40_id,
            'nyuClass': name, 'nyu40class': nyu40_class,
        }  # fmt: skip
        lines.append('\t'.join(str(filled.get(column, '')) for column in _COLUMNS))
    return '\n'.join(lines) + '\n'
